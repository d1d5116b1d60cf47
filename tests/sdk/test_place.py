"""Where a program finds the daemon."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.errors import BadInput
from roost.sdk.place import Place, _handed, find_place

FACTS = {"socket": "/run/x.sock", "workspace": "lab", "token": "t0ken", "bundle": "agent"}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Let no test see what another was handed."""
    _handed.cache_clear()
    yield
    _handed.cache_clear()


def handed_by_pipe(text: str) -> int:
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading


def test_without_anything_it_is_the_place_of_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROOST_DATA_DIR", "/somewhere")
    assert find_place(environ={}) == Place("/somewhere/roost.sock", None)
    assert find_place("w", "/else", {}) == Place("/else/roost.sock", "w")
    assert find_place(environ={"ROOST_WORKSPACE": "lab"}).workspace == "lab"


def test_a_handed_descriptor_says_everything_as_often_as_it_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(json.dumps(FACTS))
    for descriptor in (handed_by_pipe(json.dumps(FACTS)), os.open(file, os.O_RDONLY)):
        environ = {"ROOST_TOKEN_FD": str(descriptor), "ROOST_WORKSPACE": "lab"}
        for _ in range(2):
            assert find_place(environ=environ) == Place("/run/x.sock", "lab", "t0ken")
        assert find_place("other", environ=environ).token is None
        assert find_place(data_dir="/else", environ=environ).token is None
        os.close(descriptor)


def test_the_token_is_in_no_repr() -> None:
    assert "t0ken" not in repr(Place("/run/x.sock", "lab", "t0ken"))


@pytest.mark.parametrize("number", ["", "x", "999", "pipe"])
def test_a_descriptor_without_a_token_is_refused_with_a_sentence(number: str) -> None:
    descriptor = handed_by_pipe('{"token": 1}') if number == "pipe" else None
    environ = {"ROOST_TOKEN_FD": number if descriptor is None else str(descriptor)}
    with pytest.raises(BadInput, match="holds no token of Roost"):
        find_place(environ=environ)
    if descriptor is not None:
        os.close(descriptor)
