"""The launcher: ``python -m roost.worker MODULE`` does runs of the tasks that a module declares."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from roost.errors import BadInput, RoostError
from roost.sdk.place import TOKEN_VARIABLE, Place, find_place
from roost.sdk.post import Post
from roost.worker.checks import SLOTS_LIMIT, check_count, check_seconds
from roost.worker.declare import DEV_VARIABLE, OFFER
from roost.worker.loading import NotLoadable, load_module
from roost.worker.post import TaskPost
from roost.worker.service import LEAVE_GRACE_S, Worker

SLOTS = 4
"""Runs at a time: enough for work that waits, not too many for work that computes."""

EXIT_FAILED = 1
EXIT_NO_TOKEN = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker; returns the exit status."""
    arguments = _parse(argv)
    if arguments.dev:
        os.environ[DEV_VARIABLE] = "1"
    try:
        place = _place(arguments.module)
        slots = check_count("--slots", arguments.slots, 1, SLOTS_LIMIT)
        grace_s = check_seconds("--grace", arguments.grace)
    except BadInput as error:
        return _say(error.message, EXIT_NO_TOKEN)
    try:
        _load(arguments.module, arguments.directory)
        is_dev = os.environ.get(DEV_VARIABLE) == "1"
        post = TaskPost(Post(place))
        worker = Worker(post, OFFER, slots=slots, grace_s=grace_s, is_dev=is_dev)
        asyncio.run(_work(worker))
    except NotLoadable as error:
        sys.stderr.write(error.own_traceback)
        return _say(error.sentence, EXIT_FAILED)
    except RoostError as error:
        return _say(error.message, EXIT_FAILED)
    return 0


async def _work(worker: Worker) -> None:
    await worker.work()
    if worker.has_left_work:
        # Somebody else may do those runs by now, and a thread of theirs cannot be ended otherwise;
        # an ordinary exit would even wait for those of `asyncio.to_thread`.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _place(module: str) -> Place:
    if TOKEN_VARIABLE not in os.environ:
        raise BadInput(
            "a worker is started by Roost, which hands it a token; add it with "
            f"`roost add --worker {module} --directory DIR`"
        )
    return find_place()


def _load(module: str, directory: str) -> None:
    load_module(module, directory)
    if not OFFER.tasks:
        raise NotLoadable(
            f"the module {module} declares no task; write @task('NAME') above a function of it"
        )


def _say(sentence: str, status: int) -> int:
    sys.stderr.write(f"roost: {sentence}\n")
    return status


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m roost.worker", description=__doc__)
    parser.add_argument("module", help="dotted name of the module that declares the tasks")
    parser.add_argument("--directory", default=".", help="where it is looked for first")
    parser.add_argument("--slots", type=int, default=SLOTS, help="runs at a time")
    parser.add_argument(
        "--grace", type=float, default=LEAVE_GRACE_S, help="seconds handlers have at the end"
    )
    parser.add_argument(
        "--dev", action="store_true", help="a later task of a name replaces the earlier one"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
