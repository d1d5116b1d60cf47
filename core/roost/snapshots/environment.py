"""Which variables count for a snapshot, which of them a template may see, and their digests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping

_STARTUP_PREFIXES = ("PYTHON", "LD_", "MALLOC", "OMP_", "OPENBLAS", "MKL_", "LC_")
"""Read by the interpreter, the loader and native libraries, where no trace sees it."""

_STARTUP = frozenset({"LANG", "LANGUAGE", "TZ", "GLIBC_TUNABLES"})

_NEUTRAL = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"})
"""Of every process of this user; what reads them below Python finds what a start finds."""

_OWN_PREFIX = "ROOST_"
"""Set anew by Roost for every process."""

_SHORTEST_SECRET = 4
"""Characters: a shorter one stands in other values by chance."""


def is_startup_name(name: str) -> bool:
    """Whether a variable may work before any module of the bundle does."""
    return name in _STARTUP or name.startswith(_STARTUP_PREFIXES)


def credential_names(env: Mapping[str, str], secrets: Iterable[str]) -> frozenset[str]:
    """Return the names of variables that hold a credential.

    Args:
        env: a whole environment.
        secrets: sensitive values of the bundle. An address with a password in it counts as well.
    """
    known = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    exact = set(secrets) - {""}
    return frozenset(
        name
        for name, value in env.items()
        if value in exact or any(s in value for s in known) or _is_address_with_password(value)
    )


def _is_address_with_password(value: str) -> bool:
    authority = value.partition("://")[2].partition("/")[0]
    return "@" in authority and ":" in authority.rpartition("@")[0]


def template_environment(
    env: Mapping[str, str], credentials: frozenset[str], reads: Collection[str]
) -> dict[str, str]:
    """Return what a template may see of a start's environment: no credential is in it.

    Args:
        env: the whole environment of a cold start.
        credentials: names that hold one.
        reads: names that modules in the template read while they are loaded.
    """
    return {
        name: value
        for name, value in env.items()
        if name not in credentials
        and not name.startswith(_OWN_PREFIX)
        and (name in _NEUTRAL or name in reads or is_startup_name(name))
    }


def counted_reads(names: Iterable[str], credentials: frozenset[str]) -> tuple[str, ...]:
    """Return the names, of those read while modules were loaded, whose values are compared."""
    own = (n for n in names if n not in credentials and not n.startswith(_OWN_PREFIX))
    return tuple(sorted({name for name in own if not is_startup_name(name)}))


def whole_environment(
    env: Mapping[str, str], credentials: frozenset[str], key: bytes
) -> dict[str, str]:
    """Return a keyed digest of every variable; one that holds a credential counts by its name.

    Those that Roost sets anew for every process are left out.
    """
    return {
        name: digest_value(key, name, None if name in credentials else env[name])
        for name in sorted(env)
        if not name.startswith(_OWN_PREFIX)
    }


def digest_value(key: bytes, name: str, value: str | None) -> str:
    """Return the keyed digest of a variable's value, or of its absence."""
    told = b"-" if value is None else b"+" + value.encode("utf-8", "surrogateescape")
    return hmac.new(
        key, name.encode("utf-8", "surrogateescape") + b"=" + told, hashlib.sha256
    ).hexdigest()
