"""What Codex names instead of writing: variables of its own environment."""

from __future__ import annotations

from typing import Any

from roost.bundles.clients.unfit import Unfit


def forwarded_variables(body: dict[str, Any]) -> tuple[str, ...]:
    """Return the variables that Codex passes on from its own environment.

    Raises:
        Unfit: they are no list of names.
    """
    found = body.get("env_vars")
    names = [] if found is None else found
    if not isinstance(names, list):
        raise Unfit("has env_vars that are not a list; correct them")
    names = [entry.get("name") if isinstance(entry, dict) else entry for entry in names]
    if not all(isinstance(name, str) for name in names):
        raise Unfit("has env_vars that are not names; correct them")
    return tuple(names)


def headers_from_variables(body: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return headers that Codex fills from its own environment: what stands before, and the name.

    Raises:
        Unfit: they do not name variables.
    """
    found = body.get("env_http_headers")
    named = {} if found is None else found
    bearer = body.get("bearer_token_env_var")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise Unfit("has env_http_headers that do not name variables; correct them")
    headers = {header: ("", name) for header, name in named.items()}
    if bearer is not None:
        if not isinstance(bearer, str) or not bearer:
            raise Unfit("has a bearer_token_env_var that is no name; correct it")
        headers["Authorization"] = ("Bearer ", bearer)
    return headers
