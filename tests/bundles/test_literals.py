"""Which literal values may be shown."""

from __future__ import annotations

import pytest

from roost.bundles.literals import is_harmless


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "true"),
        ("API_KEY_REQUIRED", "false"),
        ("PORT", "8080"),
        ("RATIO", "0.25"),
        ("LOG_LEVEL", "debug"),
        ("NODE_ENV", "production"),
        ("ROOT", "/srv/data/my files"),
        ("BASE_URL", "https://api.example.com/v1"),
        ("BASE_URL", "http://localhost:8080"),
    ],
)
def test_clearly_harmless_values_are_shown(name: str, value: str) -> None:
    assert is_harmless(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "1234"),
        ("TOKEN", "/srv/token"),
        ("PIN", "123456"),
        ("ANY", "sk-live-0123456789"),
        ("ANY", "hello"),
        ("ANY", "1234567"),
        ("ANY", "/9j4AAQSkZJRgABAQ"),
        ("ANY", "https://user:pass@example.com/"),
        ("ANY", "https://token@example.com/"),
        ("ANY", "https://example.com/?key=1"),
        ("ANY", "https://example.com/#x"),
        ("ANY", "https://hooks.example.com/services/T000/B000/XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("ANY", "https://[broken"),
        ("ANY", "postgres://host/db"),
        ("ANY", ""),
    ],
)
def test_everything_else_is_sensitive(name: str, value: str) -> None:
    assert not is_harmless(name, value)
