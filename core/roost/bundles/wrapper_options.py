"""Options of the programs that fetch packages: only those whose meaning a pinned copy keeps."""

from __future__ import annotations

from dataclasses import dataclass

from roost.bundles.package_specs import pypi_requirement

_FLAGS = {
    "npx": {"-y", "--yes", "-q", "--quiet", "-s", "--silent", "--prefer-online"},
    "uvx": {"-q", "--quiet", "-v", "--verbose", "--no-progress", "--isolated", "--refresh"}
    | {"-n", "--no-cache", "-U", "--upgrade"},
    "uv run": {"-q", "--quiet", "-v", "--verbose", "--no-progress", "--isolated", "--no-project"}
    | {"--frozen", "--no-sync", "--locked", "-n", "--no-cache", "--refresh", "--no-dev"},
    "pipx run": {"-q", "--quiet", "-v", "--verbose", "--no-cache"},
}
"""Options without a value that change nothing of what is run."""

_VALUES = {
    "npx": {"-p": "--package", "--package": "--package"},
    "uvx": {"--from": "--from", "--with": "--with", "-w": "--with"}
    | {"-p": "--python", "--python": "--python"},
    "uv run": {"--with": "--with", "-w": "--with", "-p": "--python", "--python": "--python"}
    | {"--directory": "--directory", "--project": "--project"},
    "pipx run": {"--spec": "--spec", "--with": "--with", "--python": "--python"},
}
"""Options with a value, and the name that stands for all their spellings."""


@dataclass(frozen=True, slots=True)
class Options:
    """A command line split into the wrapper's own options and what it is to run."""

    given: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    """The package or program, and its arguments."""

    def all(self, name: str) -> tuple[str, ...]:
        """Return each value of an option."""
        return tuple(value for option, value in self.given if option == name)

    def last(self, name: str) -> str | None:
        """Return the value of an option that may be given once, or None."""
        return (self.all(name) or (None,))[-1]

    def requirements(self, name: str) -> tuple[str, ...] | None:
        """Return each requirement of an option that takes several separated by commas.

        None stands for one that names no package of a registry.
        """
        found = [part for value in self.all(name) for part in split_requirements(value)]
        return tuple(found) if all(map(pypi_requirement, found)) else None


def split_options(wrapper: str, args: tuple[str, ...]) -> Options | None:
    """Split the arguments at the first one that is no option, or return None if one is unknown."""
    given: list[tuple[str, str]] = []
    rest = list(args)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if not _take(wrapper, option, rest, given):
            return None
    return Options(tuple(given), tuple(rest))


def split_npm_exec(args: tuple[str, ...]) -> Options | None:
    """Split the arguments of `npm exec`, which reads its options anywhere before ``--``."""
    given: list[tuple[str, str]] = []
    words: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return Options(tuple(given), (*words, *rest))
        if not word.startswith("-"):
            words.append(word)
        elif not _take("npx", word, rest, given):
            return None
    return Options(tuple(given), tuple(words))


def split_requirements(text: str) -> tuple[str, ...]:
    """Split at the commas between requirements, not at those inside one: ``a>=1,<2,b``."""
    parts: list[str] = []
    for part in text.split(","):
        is_inside = parts and (
            part.lstrip()[:1] in set("<>=!~") or parts[-1].count("[") > parts[-1].count("]")
        )
        if is_inside:
            parts[-1] += f",{part}"
        else:
            parts.append(part.strip())
    return tuple(parts)


def _take(wrapper: str, option: str, rest: list[str], given: list[tuple[str, str]]) -> bool:
    """Take one option with its value; False if it is not known."""
    if option in _FLAGS[wrapper]:
        return True
    name, equals, value = option.partition("=")
    known = _VALUES[wrapper].get(name)
    if known is None or (not equals and not rest):
        return False
    given.append((known, value if equals else rest.pop(0)))
    return True
