"""What of a secret is secret by itself."""

import pytest

from roost.supervision.secret_parts import with_parts


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        ("Bearer tok-123456", "tok-123456"),
        ("bearer  tok-123456", "tok-123456"),
        ("Basic bWU6aHVudGVy", "bWU6aHVudGVy"),
        ("https://host/mcp?key=abc-123", "abc-123"),
        ("https://host/s/Zk93jslDk2039f/mcp", "Zk93jslDk2039f"),
    ],
)
def test_a_secret_inside_a_secret_is_one_too(secret: str, part: str) -> None:
    assert with_parts((secret,)) == (secret, part)


@pytest.mark.parametrize("secret", ["tok-123456", "Bearer", "https://[broken", "a b c", ""])
def test_what_has_no_part_stays_as_it_is(secret: str) -> None:
    assert with_parts((secret, secret)) == (secret,)
