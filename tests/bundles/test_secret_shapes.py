"""What of a command line and an address is taken for a secret."""

from __future__ import annotations

import time

import pytest

from roost.bundles.secret_shapes import address_pieces, argument_pieces


def shown(*words: str) -> list[str]:
    """Return a command line with the names of fields in the place of secrets."""
    before = ["", *words]
    return [
        "".join(
            f"<{piece.key}>" if piece.key else piece.text
            for piece in argument_pieces(word, before[number - 1], number)
        )
        for number, word in enumerate(words, 1)
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--api-key", "abc123def"], ["--api-key", "<API_KEY>"]),
        (["--api-key=abc123def"], ["--api-key=<API_KEY>"]),
        (["--token", "hunter two"], ["--token", "<TOKEN>"]),
        (["--githubToken=abc"], ["--githubToken=<GITHUBTOKEN>"]),
        (["-e", "DB_PASSWORD=hunter2"], ["-e", "DB_PASSWORD=<DB_PASSWORD>"]),
        (["--env=API_TOKEN=hunter2"], ["--env=API_TOKEN=<API_TOKEN>"]),
        (
            ["--header", "Authorization: Bearer abc"],
            ["--header", "Authorization: <AUTHORIZATION>"],
        ),
        (["-H", "X-Api-Key:abc"], ["-H", "X-Api-Key:<X_API_KEY>"]),
        (["sk-proj-0123456789abcdef"], ["<ARGUMENT_1>"]),
        (["ghp_0123456789abcdefghij"], ["<ARGUMENT_1>"]),
        (["xoxb-123456-abcdef"], ["<ARGUMENT_1>"]),
        (["aB3dE5gH7jK9mN1pQ3sT5"], ["<ARGUMENT_1>"]),
        (["0123456789abcdef0123456789abcdef"], ["<ARGUMENT_1>"]),
        (["postgres://app:hunter2@db/x"], ["<ARGUMENT_1>"]),
        (["--url", "https://h/mcp?token=abcdef"], ["--url", "https://h/mcp?token=<TOKEN>"]),
        (["https://h/hooks/T0AB1CD2EF3GH4IJ5"], ["<ARGUMENT_1>"]),
        (["-c", "TOKEN=abcdef exec server"], ["-c", "TOKEN=<TOKEN>"]),
        (["-c", "cd /srv; TOKEN=abcdef exec server"], ["-c", "<C>"]),
        (["-c", "server --password hunter2"], ["-c", "<C>"]),
        (["-c", "run sk-live-0123456789abcd"], ["-c", "<C>"]),
        (["-c", "curl https://u:p@h/x"], ["-c", "<C>"]),
    ],
)
def test_a_secret_is_named_in_its_place(words: list[str], expected: list[str]) -> None:
    assert shown(*words) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "/home/ada/Documents"],
        ["--from", "git+https://example.com/org/server@v1.2.3", "server"],
        ["--token-limit", "4096"],
        ["--max-tokens", "4096"],
        ["--key", "/etc/ssl/private/server.pem"],
        ["--credentials=./service.json"],
        ["--author", "ada"],
        ["--keyboard", "qwerty"],
        ["--auth", "true"],
        ["-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp-server"],
        ["--url", "https://example.com/mcp?debug=true&page=2"],
        ["-m", "mcp_server_time", "--local-timezone", "Europe/Berlin"],
        ["-c", "cd /srv && exec node server.js --port 8080"],
        ["-e", "TOKEN=$TOKEN"],
    ],
    ids=" ".join,
)
def test_what_is_no_secret_stays_readable(words: list[str]) -> None:
    assert shown(*words) == words


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://h/mcp", "https://h/mcp"),
        ("https://h/mcp?api_key=abc&x=1", "https://h/mcp?api_key=<API_KEY>&x=1"),
        ("https://h/s/0a1b2c3d4e5f6a7b8c9d0e1f2a3b/mcp", "<URL>"),
        ("https://u:p@h/mcp", "<URL>"),
        ("https://h/mcp?0a1b2c3d4e5f6a7b8c9d0e1f2a3b", "https://h/mcp?<URL>"),
        ("https://[broken", "<URL>"),
    ],
)
def test_an_address_hides_its_secrets(address: str, expected: str) -> None:
    pieces = address_pieces(address, "URL")
    assert "".join(f"<{p.key}>" if p.key else p.text for p in pieces) == expected


@pytest.mark.parametrize(
    "text",
    [
        "/" * 2**17 + "!",
        "-eyJ" * 30_000,
        "https://h/?" + "a" * 2**17,
        "a-" * 2**16,
        "aB1" * 40_000 + "!",
        "eyJ" * 40_000,
        "token=" * 20_000,
        "a " * 2**16,
        "https://h/?" + "a=" * 60_000,
        "sk-" * 40_000,
        "-" * 2**17,
        "_" * 2**17,
        " " * 2**17,
    ],
    ids=lambda text: text[:6],
)
def test_long_texts_take_no_time(text: str) -> None:
    begun = time.perf_counter()
    argument_pieces(text, "--token", 1)
    argument_pieces(text, "-c", 1)
    argument_pieces(text, "", 1)
    assert time.perf_counter() - begun < 5.0
