"""`json_text.parse` against the ordinary decoder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.client import json_text

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=_VALUES, indent=st.sampled_from([None, 2]), is_ascii=st.booleans())
def test_every_document_decodes_as_the_ordinary_decoder_does_it(
    value: Any, indent: int | None, is_ascii: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    encoded = f" {text}\n".encode("utf-8", "surrogatepass" if "\\u" in text else "strict")
    assert json_text.parse(encoded) == json.loads(text)


@pytest.mark.parametrize(
    "data", [b"", b" ", b"{", b"[1] 2", b"nul", b'{"a" 1}', b'"a\nb"', b"\xff", b"'a'"]
)
def test_text_that_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        json_text.parse(data)


def test_an_interpreter_without_the_c_scanner_gets_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_text, "_scan", None)
    assert json_text.parse(b' {"a": [1, 2.5, null]}\n') == {"a": [1, 2.5, None]}
