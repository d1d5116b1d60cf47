"""The log panel."""

from __future__ import annotations

from tests.support.fake_engine import FIXED_START, FakeEngine, bundle_view, sample_engine
from tests.support.screen import NARROW, open_screen, press, shown, until

from roost_tui import render

AT = render.clock_time(FIXED_START)


def _fake(lines: int) -> FakeEngine:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("api"))
    for number in range(1, lines + 1):
        fake.append_log("default", "api", f"line {number} of the log")
    return fake


async def test_the_log_follows_what_is_written() -> None:
    fake = _fake(100)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))
        fake.append_log("default", "api", "one more")
        await until(pilot, lambda: "one more" in shown(app, "#logs"))
        assert "101 lines  following" in shown(app, "#bottom-title")


async def test_a_panel_that_was_hidden_follows_from_its_end() -> None:
    async with open_screen(_fake(100), NARROW) as (app, pilot):
        await press(pilot, "l")
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))


async def test_moving_up_pauses_and_counts_what_is_new() -> None:
    fake = _fake(100)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))
        await press(pilot, "l", "k", "k")
        fake.append_log("default", "api", "one more")
        await until(pilot, lambda: "paused, 1 new" in shown(app, "#bottom-title"))
        assert "one more" not in shown(app, "#logs")
        await press(pilot, "G")
        await until(pilot, lambda: "one more" in shown(app, "#logs"))
        assert "following" in shown(app, "#bottom-title")


async def test_older_lines_are_read_when_the_top_is_reached() -> None:
    fake = _fake(450)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 450 of" in shown(app, "#logs"))
        assert app.dashboard.log_view.total == 200
        await press(pilot, "l", "g")
        await until(pilot, lambda: app.dashboard.log_view.total == 450)
        line = app.dashboard.log_view.cursor_line
        assert line is not None and line.text == "line 251 of the log"


async def test_a_filter_looks_at_older_lines_too() -> None:
    fake = _fake(450)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 450 of" in shown(app, "#logs"))
        await press(pilot, "l", "slash", *'~"line 7 of"', "enter")
        await until(pilot, lambda: "line 7 of" in shown(app, "#logs"))
        assert "1 of 450 lines" in shown(app, "#bottom-title")


async def test_long_lines_wrap_on_demand() -> None:
    fake = _fake(1)
    fake.append_log("default", "api", "x" * 150 + "END")
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "xxx" in shown(app, "#logs"))
        assert "END" not in shown(app, "#logs")
        await press(pilot, "l", "w")
        await until(pilot, lambda: "END" in shown(app, "#logs"))
        await press(pilot, "w")
        await press(pilot, *["right"] * 4)
        assert "END" in shown(app, "#logs")


async def test_times_can_be_hidden() -> None:
    async with open_screen(_fake(1)) as (app, pilot):
        await until(pilot, lambda: AT in shown(app, "#logs"))
        await press(pilot, "l", "t")
        assert AT not in shown(app, "#logs")


async def test_p_shows_the_log_of_the_generation_before() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, *"jjj")
        await until(pilot, lambda: "request 40" in shown(app, "#logs"))
        await press(pilot, "p")
        await until(pilot, lambda: "served over stdio" in shown(app, "#logs"))
        assert "not followed" in shown(app, "#bottom-title")


async def test_a_bundle_without_a_log_says_so() -> None:
    async with open_screen(_fake(0)) as (app, pilot):
        await until(pilot, lambda: "api has written nothing yet." in shown(app, "#logs"))


async def test_what_a_program_prints_cannot_steer_the_terminal() -> None:
    fake = _fake(0)
    fake.append_log("default", "api", "\x1b[2J\x1b]0;owned\x07plain")
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "plain" in shown(app, "#logs"))
        assert "\x1b" not in shown(app, "#logs")


async def test_the_log_of_an_earlier_generation_says_so_and_is_not_followed() -> None:
    fake = _fake(5)
    await fake.respawn("default", "api")
    fake.append_log("default", "api", "second life")
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "second life" in shown(app, "#logs"))
        await press(pilot, "p")
        await until(pilot, lambda: "generation 1" in shown(app, "#bottom-title"))
        assert "not followed" in shown(app, "#bottom-title")
        await press(pilot, "f")
        await until(pilot, lambda: "second life" in shown(app, "#logs"))
        assert "following" in shown(app, "#bottom-title")
        await press(pilot, "p")
        await until(pilot, lambda: "generation 1" in shown(app, "#bottom-title"))
        await press(pilot, "l")
        await until(pilot, lambda: "second life" in shown(app, "#logs"))
