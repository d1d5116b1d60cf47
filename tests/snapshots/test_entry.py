from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from roost.models import Launch, Reason
from roost.snapshots.entry import Entry, EntryKind, read_entry
from roost.snapshots.environment import (
    counted_reads,
    credential_names,
    digest_value,
    template_environment,
)
from roost.snapshots.interpreter import Interpreter, ask_interpreter

PYTHON = sys.executable


def launched(cwd: Path, *argv: str, **env: str) -> Launch:
    return Launch(argv=argv, env={"PATH": "/usr/bin:/bin"} | env, cwd=str(cwd), env_names=())


def entry(cwd: Path, *argv: str, **env: str) -> Entry:
    found = read_entry("time", launched(cwd, *argv, **env))
    assert isinstance(found, Entry), found
    return found


def reason(cwd: Path, *argv: str, **env: str) -> Reason:
    found = read_entry("time", launched(cwd, *argv, **env))
    assert isinstance(found, Reason), found
    return found


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text("print('here')\n")
    return path


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_script_is_known_by_its_path_and_keeps_the_flags_of_its_interpreter(
    tmp_path: Path, script: Path
) -> None:
    found = entry(tmp_path, PYTHON, "-X", "utf8", "-uWerror", "server.py", "--port", "1")
    assert found == Entry(
        EntryKind.SCRIPT,
        str(script),
        PYTHON,
        ("-X", "utf8", "-uWerror"),
        str(tmp_path),
        own_argv=4,
    )
    assert found.wire_kind == "script"


def test_a_linked_script_finds_its_modules_beside_what_it_links_to(
    tmp_path: Path, script: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "server").symlink_to(script)
    assert entry(tmp_path, PYTHON, "bin/server").path0 == str(tmp_path)


@pytest.mark.parametrize("words", [("-m", "server"), ("-mserver",)])
def test_a_module_is_looked_for_in_the_working_directory_first(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    found = entry(tmp_path, PYTHON, "-B", *words, "--verbose")
    assert (found.kind, found.target, found.path0) == (EntryKind.MODULE, "server", str(tmp_path))
    assert found.own_argv == 1 + len(words)
    assert found.flags == ("-B",)


def test_flags_in_the_word_of_the_module_are_kept(tmp_path: Path) -> None:
    assert entry(tmp_path, PYTHON, "-Bm", "server").flags == ("-B",)


@pytest.mark.parametrize("flags", [("-I",), ("-P",), ("-uP",)])
def test_an_isolated_interpreter_puts_nothing_first(
    tmp_path: Path, script: Path, flags: tuple[str, ...]
) -> None:
    assert entry(tmp_path, PYTHON, *flags, str(script)).path0 is None


def test_a_safe_path_by_the_environment_counts_unless_the_interpreter_ignores_it(
    tmp_path: Path, script: Path
) -> None:
    assert entry(tmp_path, PYTHON, str(script), PYTHONSAFEPATH="1").path0 is None
    assert entry(tmp_path, PYTHON, "-E", str(script), PYTHONSAFEPATH="1").path0 == str(tmp_path)


def test_the_value_of_a_flag_is_not_taken_for_flags(tmp_path: Path, script: Path) -> None:
    assert entry(tmp_path, PYTHON, "-W", "Ignore", "-XI=1", str(script)).path0 == str(tmp_path)


def test_a_command_names_its_interpreter_in_its_first_line(tmp_path: Path) -> None:
    command = executable(tmp_path / "mcp-time", f"#!{PYTHON} -u\nprint()\n")
    found = entry(tmp_path, str(command), "--utc")
    assert found == Entry(
        EntryKind.COMMAND, str(command), PYTHON, ("-u",), str(tmp_path), own_argv=0
    )
    assert found.wire_kind == "script"


def test_the_interpreter_of_a_command_is_found_along_the_path(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(PYTHON)
    command = executable(tmp_path / "mcp-time", "#!/usr/bin/env python3\nprint()\n")
    assert entry(tmp_path, str(command), PATH=str(tmp_path)).interpreter == str(
        tmp_path / "python3"
    )


def test_a_long_interpreter_path_behind_the_shell_is_seen(tmp_path: Path) -> None:
    text = f"#!/bin/sh\n'''exec' {PYTHON} \"$0\" \"$@\"\n' '''\nprint()\n"
    command = executable(tmp_path / "mcp-time", text)
    assert entry(tmp_path, str(command)).interpreter == PYTHON


def test_an_interpreter_beside_the_command_is_seen(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(PYTHON)
    beside = '"$(dirname -- "$(realpath -- "$0")")"/\'python\''
    text = f"#!/bin/sh\n'''exec' {beside} \"$0\" \"$@\"\n' '''\nprint()\n"
    command = executable(tmp_path / "mcp-time", text)
    assert entry(tmp_path, str(command)).interpreter == str(tmp_path / "python")


def test_an_app_is_loaded_from_its_directory(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "app.py").write_text("")
    found = entry(tmp_path, PYTHON, "-m", "roost.app", "--directory", "shop")
    assert (found.kind, found.target) == (EntryKind.APP, "")
    assert found.directory == found.path0 == str(tmp_path / "shop")


def test_an_app_in_a_file_finds_its_modules_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text("")
    argv = (PYTHON, "-m", "roost.app", "src/shop.py:app", "--directory", str(tmp_path))
    found = entry(tmp_path, *argv)
    assert (found.target, found.directory) == ("src/shop.py:app", str(tmp_path))
    assert found.path0 == str(tmp_path / "src")


@pytest.mark.parametrize("wrapper", ["uv", "uvx", "npx"])
def test_a_wrapper_is_told_how_to_be_replaced(tmp_path: Path, wrapper: str) -> None:
    program = executable(tmp_path / wrapper, "\x7fELF")
    found = reason(tmp_path, str(program), "run", "server.py")
    assert found.code == "wrapped"
    assert "`roost pin time`" in found.sentence


def test_what_stands_behind_a_shell_cannot_be_seen(tmp_path: Path) -> None:
    assert reason(tmp_path, "/bin/sh", "-c", "python server.py").code == "wrapped"


def test_a_binary_and_another_language_start_cold(tmp_path: Path) -> None:
    binary = executable(tmp_path / "server", "\x7fELF")
    other = executable(tmp_path / "server.js", "#!/usr/bin/env node\n")
    assert reason(tmp_path, str(binary)).code == "not_python"
    assert reason(tmp_path, str(other)).code == "not_python"


def test_a_shim_that_is_called_python_is_no_python(tmp_path: Path) -> None:
    shim = executable(tmp_path / "python3", "#!/bin/bash\nexec pyenv\n")
    assert reason(tmp_path, str(shim), "server.py").code == "not_python"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-c", "print()"), "no_script"),
        (("-",), "no_script"),
        ((), "no_script"),
        (("-m",), "no_script"),
        (("gone.py",), "no_script"),
        (("-i", "server.py"), "unknown_flags"),
        (("-x", "server.py"), "unknown_flags"),
        (("-m", "roost.app", "--describe"), "not_started"),
    ],
)
def test_a_python_that_starts_no_program_is_not_eligible(
    tmp_path: Path, script: Path, words: tuple[str, ...], code: str
) -> None:
    assert reason(tmp_path, PYTHON, *words).code == code


def test_a_directory_is_no_script(tmp_path: Path) -> None:
    assert reason(tmp_path, PYTHON, str(tmp_path)).code == "no_script"


def test_a_server_that_runs_elsewhere_is_not_eligible(tmp_path: Path) -> None:
    assert reason(tmp_path).code == "elsewhere"


def test_a_program_that_is_gone_says_so(tmp_path: Path) -> None:
    assert reason(tmp_path, str(tmp_path / "gone")).code == "unreadable"


@pytest.mark.real
def test_the_interpreter_tells_its_path_without_the_programs_own_directory(
    tmp_path: Path, script: Path
) -> None:
    found = ask_interpreter(entry(tmp_path, PYTHON, str(script)), {"PATH": "/usr/bin:/bin"})
    assert isinstance(found, Interpreter)
    assert found.minor == sys.version_info[:2]
    assert found.version == sys.version
    assert "" not in found.paths
    assert found.library == os.path.dirname(os.__file__)
    with_more = ask_interpreter(entry(tmp_path, PYTHON, str(script)), {"PYTHONPATH": str(tmp_path)})
    assert isinstance(with_more, Interpreter)
    assert with_more.paths[0] == str(tmp_path)


@pytest.mark.real
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ('["cpython", [3, 10, 1], "3.10.1", [], "/lib", "/"]', "unclaimed_python"),
        ('["pypy", [3, 11, 1], "3.11.1", [], "/lib", "/"]', "unclaimed_python"),
        ("no", "no_interpreter"),
        ("[1]", "no_interpreter"),
    ],
)
def test_an_interpreter_that_is_not_claimed_is_refused(
    tmp_path: Path, answer: str, code: str
) -> None:
    program = executable(tmp_path / "python3", f"#!/bin/sh\necho '{answer}'\n")
    subject = Entry(EntryKind.MODULE, "server", str(program))
    found = ask_interpreter(subject, {"PATH": "/usr/bin:/bin"})
    assert isinstance(found, Reason)
    assert found.code == code


def test_variables_that_hold_a_credential_are_known_by_their_values() -> None:
    env = {
        "TOKEN": "s3cret-value",
        "HEADER": "Bearer s3cret-value",
        "PIN": "77",
        "PORT": "8077",
        "HTTPS_PROXY": "http://me:word@proxy:3128",
        "HTTP_PROXY": "http://proxy:3128",
        "EMPTY": "",
    }
    found = credential_names(env, ["s3cret-value", "77", ""])
    assert found == {"TOKEN", "HEADER", "PIN", "HTTPS_PROXY"}


def test_a_template_sees_what_its_modules_read_and_no_credential() -> None:
    env = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "LOG_LEVEL": "debug",
        "OTHER": "1",
        "TOKEN": "s",
        "ROOST_MARK": "m",
    }
    seen = template_environment(env, frozenset({"TOKEN"}), ["LOG_LEVEL", "TOKEN", "ROOST_MARK"])
    assert seen == {"PATH": "/bin", "LC_ALL": "C", "LOG_LEVEL": "debug"}


def test_reads_count_that_are_neither_credentials_nor_set_by_roost() -> None:
    names = ["LOG_LEVEL", "TOKEN", "ROOST_MARK", "LC_ALL", "LOG_LEVEL"]
    assert counted_reads(names, frozenset({"TOKEN"})) == ("LOG_LEVEL",)


def test_a_digest_tells_values_names_and_absence_apart() -> None:
    key = b"k" * 32
    digests = {
        digest_value(key, "A", "1"),
        digest_value(key, "A", ""),
        digest_value(key, "A", None),
        digest_value(key, "B", "1"),
        digest_value(b"other", "A", "1"),
    }
    assert len(digests) == 5


SECRET = "s3cr3t-of-the-bundle"


def hiding(cwd: Path, *argv: str) -> Entry | Reason:
    """Read a command line in which a credential stands, as an operator may allow."""
    shown = tuple(word.replace(SECRET, "<token>") for word in argv)
    return read_entry("time", Launch(argv, {}, str(cwd), (), shown_argv=shown))


def test_a_credential_among_the_programs_own_arguments_is_nobodys_business(
    tmp_path: Path, script: Path
) -> None:
    found = hiding(tmp_path, PYTHON, str(script), f"--token={SECRET}")
    assert isinstance(found, Entry)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "words",
    [
        ("-X", f"key={SECRET}", "server.py"),
        (f"--token={SECRET}", "server.py"),
        (f"{SECRET}.py",),
        (f"../{SECRET}/gone.py",),
        ("-m", SECRET),
        ("-m", "roost.app", f"--directory={SECRET}"),
    ],
)
def test_a_credential_before_them_is_in_no_entry_and_in_no_reason(
    tmp_path: Path, script: Path, words: tuple[str, ...]
) -> None:
    found = hiding(tmp_path, PYTHON, *words)
    assert isinstance(found, Reason) and SECRET not in found.sentence
    assert found.code == "credential_in_command"
