"""A block of ordinary work, its reports and its end."""

import threading
from contextlib import suppress

import pytest
from tests.sdk.fake_daemon import BOUND_S, FakeDaemon

from roost import AlreadyFinished, LeaseLost, RoostUnreachable, StopRequested, begin_run
from roost.errors import BadInput, NotFound
from roost.sdk import courier, outbox


def end_of(daemon: FakeDaemon) -> dict[str, object]:
    return {key: value for key, value in daemon.run["end"].items() if key != "epoch"}


def test_a_block_begins_tells_in_order_and_succeeds(daemon: FakeDaemon) -> None:
    with begin_run("nightly report", scope="reports", input={"day": 3}, key="k") as run:
        assert run.id == "run-1" and run.is_reported
        run.step("fetch", 1, 3)
        run.emit("12 rows")
        run.step("render")
        run.link("file:///tmp/report.pdf")
        run.result = {"rows": 12}
    assert daemon.run["begun"] == {
        "title": "nightly report",
        "input": {"day": 3},
        "scope": "reports",
        "on_behalf_of": None,
        "idempotency_key": "k",
        "parent": None,
        "lease_s": 60.0,
    }
    assert [what for _, what in daemon.told] == ["fetch", "12 rows", "render"]
    assert daemon.run["link"] == "file:///tmp/report.pdf"
    assert end_of(daemon) == {"status": "succeeded", "result": {"rows": 12}}


def test_an_exception_fails_the_run_with_its_sentence_and_goes_on_its_way(
    daemon: FakeDaemon,
) -> None:
    hidden = "s3cret-local"
    with pytest.raises(ValueError, match="no such table"), begin_run("report"):
        raise ValueError(f"no such table: {'reports'}\n  in base")
    assert end_of(daemon)["error"] == {
        "code": "work_failed",
        "sentence": "ValueError: no such table: reports in base",
    }
    assert hidden not in str(daemon.asked)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SystemExit(0), "succeeded"),
        (SystemExit(3), "failed"),
        (KeyboardInterrupt(), "aborted"),
    ],
)
def test_a_program_that_leaves_the_block_settles_its_run(
    daemon: FakeDaemon, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error)), begin_run("report"):
        raise error
    assert daemon.run["status"] == status


def test_many_reports_go_in_few_requests_and_keep_their_order(daemon: FakeDaemon) -> None:
    with begin_run("count") as run:
        for number in range(2_500):
            run.step(f"s{number}", number, 2_500)
    assert [what for _, what in daemon.told] == [f"s{number}" for number in range(2_500)]
    assert len(daemon.asked) < 100


def test_steps_and_texts_that_alternate_keep_their_order(daemon: FakeDaemon) -> None:
    with begin_run("count") as run:
        for number in range(20):
            run.step(f"s{number}")
            run.emit(f"t{number}")
    wanted = [f"{kind}{number}" for number in range(20) for kind in "st"]
    assert [what for _, what in daemon.told] == wanted


def test_what_is_told_arrives_while_the_block_is_busy(daemon: FakeDaemon) -> None:
    with begin_run("slow") as run:
        run.emit("at once")
        daemon.until(lambda: bool(daemon.told))
        assert daemon.run["status"] == "running"


def test_a_silent_block_keeps_its_lease_and_learns_of_a_stop(daemon: FakeDaemon) -> None:
    with pytest.raises(StopRequested, match="run-1"), begin_run("silent", lease_s=0.15) as run:
        assert not run.stop_requested
        daemon.until(lambda: len(daemon.asked) >= 3)
        assert daemon.asked[-1] == ("report", {"epoch": 1})
        daemon.stop_requested = True
        heard = len(daemon.asked) + 2
        daemon.until(lambda: len(daemon.asked) >= heard)
        run.check_stop()
    assert end_of(daemon)["status"] == "aborted"


def test_work_that_survives_every_error_ends_at_a_stop_nevertheless(daemon: FakeDaemon) -> None:
    daemon.stop_requested = True
    with pytest.raises(StopRequested), begin_run("stubborn") as run:
        while True:
            with suppress(Exception):
                run.check_stop()


def test_a_block_that_has_seen_the_stop_and_ends_is_aborted(daemon: FakeDaemon) -> None:
    daemon.stop_requested = True
    with begin_run("polite") as run:
        assert run.stop_requested
    assert daemon.run["status"] == "aborted"


def test_a_block_that_was_done_before_it_saw_the_stop_has_succeeded(daemon: FakeDaemon) -> None:
    daemon.stop_requested = True
    with begin_run("quick"):
        pass
    assert daemon.run["status"] == "succeeded"


def test_a_lost_lease_ends_the_work_at_its_next_call(daemon: FakeDaemon) -> None:
    daemon.faults.extend(["fine", "lease_lost"])
    with pytest.raises(LeaseLost), begin_run("replaced") as run:
        run.emit("one")
        daemon.until(lambda: len(daemon.asked) == 2)
        for _ in range(100_000):
            run.emit("two")
    assert daemon.run["status"] == "running"


def test_a_refused_report_is_told_and_not_repeated(daemon: FakeDaemon) -> None:
    daemon.faults.extend(["fine", "invalid_request"])
    with pytest.raises(BadInput, match="refused"), begin_run("odd") as run:
        run.emit("one")
    assert [verb for verb, _ in daemon.asked] == ["runs", "report"]


def test_a_daemon_that_restarts_gets_everything_once_and_in_order(daemon: FakeDaemon) -> None:
    with begin_run("long") as run:
        run.step("before")
        daemon.until(lambda: bool(daemon.told))
        daemon.stop()
        for number in range(300):
            run.step(f"away {number}")
        daemon.start()
        run.step("after")
    told = [what for _, what in daemon.told]
    assert told == ["before", *(f"away {number}" for number in range(300)), "after"]
    assert daemon.run["status"] == "succeeded"


@pytest.mark.parametrize("fault", ["lost", "unanswered", "store_unavailable"])
def test_a_report_without_an_answer_is_told_once(daemon: FakeDaemon, fault: str) -> None:
    daemon.faults.extend(["fine", fault, "fine", fault])
    with begin_run("long") as run:
        run.step("one")
        run.emit("two")
        run.emit("three")
        daemon.until(lambda: len(daemon.told) == 3)
        run.emit("four")
    assert [what for _, what in daemon.told] == ["one", "two", "three", "four"]


def test_a_stop_that_comes_with_a_lost_answer_doubles_nothing(daemon: FakeDaemon) -> None:
    daemon.faults.extend(["fine", "unanswered"])
    with begin_run("long") as run:
        run.emit("one")
        daemon.until(lambda: bool(daemon.told))
        daemon.stop_requested = True
        run.emit("two")
    assert [what for _, what in daemon.told] == ["one", "two"]


@pytest.mark.parametrize("fault", ["lost", "unanswered"])
def test_a_begin_without_an_answer_begins_one_run(daemon: FakeDaemon, fault: str) -> None:
    daemon.faults.append(fault)
    with begin_run("once"):
        pass
    assert len(daemon.runs) == 1 and daemon.run["status"] == "succeeded"


def test_an_end_without_an_answer_is_told_again(daemon: FakeDaemon) -> None:
    daemon.faults.extend(["fine", "unanswered"])
    with begin_run("once"):
        pass
    assert daemon.run["status"] == "succeeded"


def test_a_daemon_that_stays_away_longer_than_the_lease_is_told(daemon: FakeDaemon) -> None:
    with pytest.raises(RoostUnreachable, match=r"has not answered for run run-1 for 0\.\d s"):  # noqa: SIM117
        with begin_run("long", lease_s=0.2) as run:
            daemon.stop()
            for _ in range(outbox.ITEMS_KEPT + 1):
                run.emit("into the void")


def test_the_own_error_of_the_work_is_never_hidden_by_a_lost_daemon(daemon: FakeDaemon) -> None:
    with pytest.raises(ValueError, match="mine") as caught, begin_run("long", lease_s=0.1):
        daemon.stop()
        raise ValueError("mine")
    assert "its run was not settled" in caught.value.__notes__[0]


def test_work_that_needs_no_report_goes_on_and_says_so_once(
    daemon: FakeDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    with begin_run("long", lease_s=0.1, required=False) as run:
        daemon.stop()
        for _ in range(outbox.ITEMS_KEPT * 3):
            run.emit("into the void")
        assert not run.is_reported
        run.check_stop()
    with begin_run("another", required=False) as run:
        run.step("alone")
        with run.child("part") as part:
            part.emit("alone too")
        assert run.id is None and not run.is_reported
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and said.startswith("roost: this work goes on unreported: ")


@pytest.mark.parametrize(
    ("workspaces", "sentence"),
    [([], "there is no workspace yet"), (["a", "b"], "there are the workspaces a, b; choose one")],
)
def test_a_program_that_names_no_workspace_takes_the_only_one(
    daemon: FakeDaemon, workspaces: list[str], sentence: str
) -> None:
    daemon.workspaces = workspaces
    with pytest.raises((NotFound, BadInput), match=sentence), begin_run("lost"):
        pytest.fail("the block was entered")
    with begin_run("named", workspace="b"):
        pass
    assert daemon.run["status"] == "succeeded"


def test_work_that_needs_no_report_is_not_held_up_at_its_end(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "END_PATIENCE_S", 0.1)
    with begin_run("long", lease_s=3600, required=False) as run:
        daemon.stop()
        run.emit("into the void")
    assert not run.is_reported


def test_no_daemon_at_all_is_told_before_the_work_begins(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.stop()
    monkeypatch.setattr("roost.sdk.request.PATIENCE_S", 0.1)
    with pytest.raises(RoostUnreachable, match="`roost serve` starts one"), begin_run("none"):
        pytest.fail("the block was entered")


def test_a_child_run_belongs_to_its_parent(daemon: FakeDaemon) -> None:
    with begin_run("all") as run, run.child("part", input=[1]) as part:
        part.step("half", 1, 2)
    begun = daemon.runs["run-2"]["begun"]
    assert (begun["parent"], begun["input"], begun["title"]) == ("run-1", [1], "part")
    assert daemon.told == [("run-2", "half")]


def test_a_key_whose_run_has_finished_does_no_work_again(daemon: FakeDaemon) -> None:
    with begin_run("daily", key="today"):
        pass
    with pytest.raises(AlreadyFinished, match="run-1 of this key has already succeeded") as caught:  # noqa: SIM117
        with begin_run("daily", key="today"):
            pytest.fail("the block was entered")
    assert caught.value.run["id"] == "run-1"


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}])
def test_what_is_no_json_is_refused_where_it_is_given(daemon: FakeDaemon, value: object) -> None:
    with pytest.raises(BadInput, match="the input of the run"):
        begin_run("odd", input=value).__enter__()
    assert not daemon.asked
    with begin_run("odd") as run, pytest.raises(BadInput, match="the result of the run"):
        run.result = value


def test_reports_of_several_threads_all_arrive(daemon: FakeDaemon) -> None:
    with begin_run("wide") as run:

        def tell(number: int) -> None:
            for i in range(100):
                run.emit(f"{number}.{i}")

        threads = [threading.Thread(target=tell, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND_S)
    told = [str(what) for _, what in daemon.told]
    for number in range(5):
        mine = [what for what in told if what.startswith(f"{number}.")]
        assert mine == [f"{number}.{i}" for i in range(100)]


def test_the_longest_silence_is_shorter_than_a_stop_waits() -> None:
    assert courier.STOP_NOTICE_S < 10 and courier.FLUSH_S <= 0.1


def test_no_thread_stays_behind(daemon: FakeDaemon) -> None:
    with begin_run("short"):
        assert any(thread.name == "roost-run" for thread in threading.enumerate())
    assert not any(thread.name == "roost-run" for thread in threading.enumerate())


def test_texts_of_any_length_and_kind_arrive(daemon: FakeDaemon) -> None:
    long = "x" * 450_000
    with begin_run("wordy") as run:
        run.emit(long)
        run.emit("half \ud800 pair")
        run.emit("")
        with pytest.raises(BadInput, match="takes texts, not int"):
            run.emit(3)  # type: ignore[arg-type]
    outputs = [body["output"] for verb, body in daemon.asked if verb == "report"]
    assert "".join(outputs[:3]) == long and max(map(len, outputs)) <= 200_000
    assert outputs[3:] == ["half ? pair\n"]


def test_a_result_too_long_to_be_sent_is_refused_where_it_is_given(daemon: FakeDaemon) -> None:
    with begin_run("huge") as run, pytest.raises(BadInput, match="tell where by `link`"):
        run.result = "x" * (4 * 1024 * 1024)
    assert daemon.run["status"] == "succeeded"
