"""Compiled modules of a bundle decide its Python, and refuse the wrong platform by name."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from roost.bundles.compiled import own_python, python_for
from roost.errors import BadManifest

OWN_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
OWN_TAG = OWN_SUFFIX.removesuffix(".so").partition("-")[2].partition("-")[2]

linux = pytest.mark.skipif(sys.platform != "linux", reason="names platforms as Linux does")


def bundle(folder: Path, *names: str, content: bytes = b"") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("names", "pythons"),
    [
        ((), ()),
        (("lib/plain.py", "lib/libz.so.1", "lib/z.so"), ()),
        ((f"a/_x.cpython-312-{OWN_TAG}.so",), ("3.12",)),
        ((f"_x.cpython-39-{OWN_TAG}.so", f"_x.cpython-310-{OWN_TAG}.so"), ("3.10", "3.9")),
        ((f"_x.cpython-312-{OWN_TAG}.so", "_y.abi3.so"), ("3.12",)),
        (("_y.abi3.so", f"_z.abi3-{OWN_TAG}.so"), ()),
        ((f"_x.cpython-313t-{OWN_TAG}.so",), ("3.13t",)),
        (("_x.cpython-312.so",), ("3.12",)),
        ((f"_x.cpython-312-{OWN_TAG}.so", "_x.abi3.so"), ()),
        (
            (
                f"_x.cpython-311-{OWN_TAG}.so",
                f"_x.cpython-312-{OWN_TAG}.so",
                f"_y.cpython-312-{OWN_TAG}.so",
            ),
            ("3.12",),
        ),
        ((f"_x.cpython-312-{OWN_TAG}.so", "_x.cpython-312-darwin.so"), ("3.12",)),
        ((f"a/_x.cpython-312-{OWN_TAG}.so", "a/_x.cp312-win_amd64.pyd"), ("3.12",)),
    ],
)
def test_the_python_follows_from_the_modules(
    tmp_path: Path, names: tuple[str, ...], pythons: tuple[str, ...]
) -> None:
    assert python_for(bundle(tmp_path, *names)) == pythons


@linux
@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("lib/_x.cpython-312-darwin.so", "macOS"),
        ("_x.cp312-win_amd64.pyd", r"Windows \(win_amd64\)"),
        ("_x.cpython-312-x86_64-linux-musl.so", "x86_64-linux-musl"),
        ("_x.cpython-312-powerpc64le-linux-gnu.so", "powerpc64le-linux-gnu"),
    ],
)
def test_a_module_of_another_platform_is_refused_by_name(
    tmp_path: Path, name: str, named: str
) -> None:
    with pytest.raises(BadManifest, match=f"{name} is built for {named} and not"):
        python_for(bundle(tmp_path, name))


@linux
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\xcf\xfa\xed\xfe" + bytes(20), "macOS"),
        (b"MZ" + bytes(20), "Windows"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xf3\x00", r"Linux \(riscv64\)"),
    ],
)
def test_a_stable_module_is_known_by_its_content(
    tmp_path: Path, content: bytes, named: str
) -> None:
    with pytest.raises(BadManifest, match=named):
        python_for(bundle(tmp_path, "_x.abi3.so", content=content))


def test_modules_that_no_single_python_loads_are_refused(tmp_path: Path) -> None:
    names = (f"_x.cpython-311-{OWN_TAG}.so", f"_y.cpython-312-{OWN_TAG}.so")
    with pytest.raises(BadManifest, match=r"Python 3\.11, 3\.12"):
        python_for(bundle(tmp_path, *names))


def test_the_modules_of_this_interpreter_fit_it(tmp_path: Path) -> None:
    assert python_for(bundle(tmp_path, f"_x{OWN_SUFFIX}")) == (own_python(),)
