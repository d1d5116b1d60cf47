"""Common causes in what programs say when they fail, and what mends each.

Programs word the same failure the same way for years, so a few patterns save an operator a search.
They only ever add a sentence: no state and no result of a check follows from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A pattern in one line of output, and the remedy."""

    pattern: re.Pattern[str]
    remedy: str
    """A sentence; ``{label}`` is the bundle, ``{1}`` what the pattern's first group found."""
    outdoes_newer: bool = False
    """Whether it explains what newer lines say, such as a package not found without a network."""


def _cause(pattern: str, remedy: str, *, flags: int = 0, outdoes_newer: bool = False) -> Cause:
    return Cause(re.compile(pattern, flags), remedy, outdoes_newer)


_ANY_CASE = re.IGNORECASE

CAUSES = (
    # The most exact come first: where several fit one line, the first one speaks.
    _cause(
        r"module 'mcp[\w.]*' has no attribute|'(?:Server|FastMCP)' object has no attribute"
        r"|cannot import name '\w+' from 'mcp[\w.]*'|No module named 'mcp\.[\w.]+'",
        "It was written for another major version of the MCP library: pin one it knows, such as "
        'with `uvx --with "mcp<2" ...` as its command, which a pinned copy of that keeps.',
    ),
    _cause(
        r"npm (?:error|ERR!).*(?:ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)"
        r"|after connection broken by|error sending request for url|^\s*cause: Failed to fetch",
        "A package registry is not reached: check this machine's network, and the proxy variables "
        "of the daemon.",
        outdoes_newer=True,
    ),
    _cause(
        r"ModuleNotFoundError: No module named '([^']+)'|No module named ([\w.]+)\s*$",
        "Its Python does not have the module {1}: install it for the interpreter that the command "
        "names, or add the server by `roost add --pypi`.",
    ),
    _cause(
        r"ImportError: cannot import name '([^']+)'",
        "A library it uses is of another version than it expects ({1} is not in it): pin the "
        "version that it names.",
    ),
    _cause(
        r"(?:Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND).*?'([^']+)'",
        "Node does not find {1}: run `npm install` where its package.json lies, or correct the "
        "path in the command.",
    ),
    _cause(r"Cannot find module", "Node does not find a file it loads: run `npm install` there."),
    _cause(
        r"EADDRINUSE|Address already in use|address already in use",
        "Another program listens on the port it wants: `ss -ltnp` names it; end that one, or let "
        "the bundle take its port from PORT.",
    ),
    _cause(
        r"ECONNREFUSED|Connection refused|ConnectionRefusedError",
        "What it connects to does not listen: start that first; for a bundle of this workspace "
        "`roost set {label} --after NAME` keeps the order.",
    ),
    _cause(
        r"ENOTFOUND|EAI_AGAIN|getaddrinfo|Name or service not known"
        r"|Temporary failure in name resolution|nodename nor servname|Could not resolve host",
        "A host name could not be resolved: check the name and this machine's network.",
    ),
    _cause(
        r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(?:GET_ISSUER_CERT|VERIFY)"
        r"|unable to get local issuer certificate|certificate verify failed|UnknownIssuer",
        "A certificate is not trusted: behind a company's authority the daemon needs "
        "SSL_CERT_FILE (Node: NODE_EXTRA_CA_CERTS) in its environment when it is started.",
    ),
    _cause(
        r"(?:status|code|http|error)\D{0,12}401\b|\b401 Client Error|unauthori[sz]ed"
        r"|invalid (?:api|access)[ _-]?(?:key|token)|authentication failed|bad credentials"
        r"|\b403 Forbidden\b",
        "A service refused its credentials: set a valid value with `roost credentials {label}`.",
        flags=_ANY_CASE,
    ),
    _cause(
        r"KeyError: '([A-Z][A-Z0-9_]{2,})'"
        r"|\b([A-Z][A-Z0-9_]{3,}) (?:environment variable )?(?:is|must be) (?:required|set)"
        r"|[Mm]issing (?:required )?environment variable:? ['\"]?([A-Z][A-Z0-9_]{2,})",
        "It expects the variable {1}, which a bundle gets only when its definition declares it: "
        "add the bundle again with `--env {1}`.",
    ),
    _cause(
        r"EMFILE|[Tt]oo many open files",
        "It ran out of descriptors: allow more with `roost set {label} --limit open_files=4096`.",
    ),
    _cause(
        r"JavaScript heap out of memory|MemoryError|Cannot allocate memory|ENOMEM"
        r"|std::bad_alloc|[Oo]ut of memory",
        "It ran out of memory: raise or lift its limit with `roost set {label} --limit "
        "memory_bytes=none`, or free memory on this machine.",
    ),
    _cause(
        r"ENOSPC|No space left on device",
        "A disk is full: `df -h` names it.",
    ),
    _cause(
        r"EROFS|Read-only file system",
        "It writes where nothing may be written: a bundle's own directory is read-only, its "
        "working directory is not.",
    ),
    _cause(
        r"GLIBC_[\d.]+' not found|GLIBCXX_[\d.]+' not found|wrong ELF class"
        r"|incompatible architecture|invalid ELF header",
        "It was built for another system than this one: install a build for this machine.",
    ),
    _cause(
        r"requires a different Python|requires-python|Requires-Python|requires Python"
        r"|Unsupported engine|EBADENGINE",
        "It wants another version of its runtime: install that version, and name its interpreter "
        "by full path in the command.",
    ),
    _cause(
        r"No matching distribution found|No solution found when resolving|\bE404\b"
        r"|404 Not Found - GET|was not found in the package registry"
        r"|\bETARGET\b|No matching version found for|there is no version of",
        "The package or the version it names does not exist in the registry: correct the "
        "requirement.",
    ),
    _cause(
        r"(?:sh|bash|env): (?:line \d+: |\d+: )?'?([^\s:']+)'?: (?:command )?not found"
        r"|env: \W?([\w.+-]+)\W?: No such file",
        "The program {1} is not on the daemon's PATH: install it, or write its full path.",
    ),
    _cause(
        r"EACCES|[Pp]ermission denied",
        "It may not use a file or a port that it needs: check who owns it.",
    ),
    _cause(
        r"(?:ENOENT|No such file or directory)[^'\"]*['\"]([^'\"]+)['\"]",
        "It does not find {1}: create it, or correct the path in its command or credentials.",
    ),
    _cause(r"database is locked", "Another program holds its database: end that one first."),
)
"""The table; the first entry that fits a line is its cause."""


def remedy(lines: Sequence[str], label: str) -> str:
    """Return what mends the newest known cause in some output, or an empty text.

    Args:
        lines: output, oldest first.
        label: the bundle as commands name it.
    """
    newest = tuple(reversed(lines))
    outdoing = [cause for cause in CAUSES if cause.outdoes_newer]
    return _first_remedy(newest, outdoing, label) or _first_remedy(newest, CAUSES, label)


def _first_remedy(lines: Sequence[str], causes: Sequence[Cause], label: str) -> str:
    for line in lines:
        for cause in causes:
            if match := cause.pattern.search(line):
                found = next((group for group in match.groups() if group), "")
                return cause.remedy.replace("{label}", label).replace("{1}", found)
    return ""
