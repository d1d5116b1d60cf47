"""What an install would do is told before it does, and nothing of the telling stays."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import (
    manifest,
    server,
    user_field,
    which,
    write_archive,
    write_folder,
)

from roost.bundles import plan_bundle, read_bundle
from roost.bundles.archive import unpack
from roost.errors import BadArchive, Changed, SensitiveInArguments
from roost.models import (
    BundleKind,
    InstallPlan,
    InstallRequest,
    LaunchContext,
    SourceKind,
)
from roost.models.codec import to_json

SECRET = "hunter2-is-secret"


def plan(root: Path, request: InstallRequest) -> InstallPlan:
    def context(name: str) -> LaunchContext:
        return LaunchContext(home="/home/me", state_dir=f"/state/{name}", base_env={})

    found = plan_bundle(
        request,
        workspace="team",
        bundles_dir=root / "bundles",
        context=context,
        python="/opt/python",
        which=which,
    )
    assert list((root / "bundles").rglob("*")) == [], "nothing of it stays"
    return found


def archive(root: Path, **changes: Any) -> InstallRequest:
    path = write_archive(root / "a.mcpb", manifest(**changes))
    return InstallRequest(SourceKind.MCPB, path=str(path))


def codes(found: InstallPlan) -> set[str]:
    return {note.code for note in found.notes}


def test_an_archive_is_shown_with_its_command_places_names_and_needs(tmp_path: Path) -> None:
    config = server(
        args=["${__dirname}/server/main.py", "--mode=${user_config.mode}", "${user_config.dirs}"],
        env={"TOKEN": "${user_config.token}", "DESK": "${DESKTOP}"},
    )
    fields = {
        "token": user_field(sensitive=True, required=True),
        "mode": user_field(default="${HOME}/x", required=True),
        "dirs": user_field(type="directory", multiple=True, required=True),
    }
    request = archive(tmp_path, server=config, user_config=fields)
    found = plan(tmp_path, request)
    digest = hashlib.sha256((tmp_path / "a.mcpb").read_bytes()).hexdigest()
    root = f"{tmp_path}/bundles/team/demo-server/1.2.0-{digest[:12]}"
    assert found.argv == (
        "/opt/python",
        f"{root}/server/main.py",
        "--mode=/home/me/x",
        "<dirs> …",
    )
    assert found.directories == (root, "/state/demo-server")
    assert found.env_names == ("DESK", "TOKEN")
    assert (found.given_fields, found.missing_fields) == ((), ("token", "dirs"))
    assert (found.sha256, found.content_sha256, found.signed_by) == (digest, None, None)
    assert found.notes == ()


def test_a_value_that_is_given_is_told_by_its_name_only(tmp_path: Path) -> None:
    request = InstallRequest(
        SourceKind.COMMAND,
        command=("/bin/sh", "-c", "serve"),
        env={"API_TOKEN": SECRET},
        directory="/",
        kind=BundleKind.WEB,
    )
    found = plan(tmp_path, request)
    assert found.given_fields == ("API_TOKEN",) and found.missing_fields == ()
    assert found.env_names == ("API_TOKEN", "PORT")
    assert found.directories == ("/", "/state/sh")
    assert codes(found) == {"shell"}
    assert SECRET not in to_json(found).decode() + repr(found)


def test_a_credential_in_the_command_line_is_refused_and_marked_once_it_is_allowed(
    tmp_path: Path,
) -> None:
    fields = {"token": user_field(sensitive=True)}
    config = server(args=["--token", "${user_config.token}"])
    request = archive(tmp_path, server=config, user_config=fields)
    with pytest.raises(SensitiveInArguments):
        plan(tmp_path, request)
    allowed = InstallRequest(SourceKind.MCPB, path=request.path, secret_arguments=True)
    found = plan(tmp_path, allowed)
    assert found.argv[1:] == ("--token", "<token>") and codes(found) == {"secret_argument"}


def test_what_a_manifest_hides_is_noted(tmp_path: Path) -> None:
    config = server(
        type="binary",
        command="/bin/sh",
        args=["-c", "anything"],
        env={"A": "1"},
        platform_overrides={"linux": {"env": {"B": "2"}}},
    )
    found = plan(tmp_path, archive(tmp_path, server=config))
    assert codes(found) == {"shell", "foreign_program", "replaces_environment"}
    assert found.env_names == ("B",)


def test_an_app_is_not_loaded_for_its_plan(tmp_path: Path) -> None:
    app = tmp_path / "my-app"
    app.mkdir()
    (app / "app.py").write_text("raise SystemExit('loaded')")
    found = plan(tmp_path, InstallRequest(SourceKind.APP, path=str(app)))
    assert found.name == "my-app" and codes(found) == {"not_loaded"}
    assert str(app) in found.argv


def test_a_command_that_fetches_its_package_is_noted_with_its_pinned_copy(tmp_path: Path) -> None:
    request = InstallRequest(
        SourceKind.COMMAND,
        command=("uv", "tool", "run", "mcp-server-time"),
        kind=BundleKind.MCP_STDIO,
    )
    found = plan(tmp_path, request)
    assert "unpinned" in codes(found)
    assert found.copy is not None and found.copy.package == "mcp-server-time"


def test_a_package_without_a_version_will_be_looked_up(tmp_path: Path) -> None:
    found = plan(tmp_path, InstallRequest(SourceKind.PYPI, requirement="mcp-server-time"))
    assert codes(found) == {"looked_up"}
    assert found.argv == ("<prepared>/bin/mcp-server-time",)


@pytest.mark.parametrize("what", ["archive", "folder"])
def test_only_what_was_reviewed_is_installed(tmp_path: Path, what: str) -> None:
    def write() -> InstallRequest:
        if what == "archive":
            return archive(tmp_path)
        return InstallRequest(SourceKind.MCPB, path=str(write_folder(tmp_path / "folder")))

    request = write()
    reviewed = plan(tmp_path, request).sha256
    exact = InstallRequest(SourceKind.MCPB, path=request.path, sha256=(reviewed or "").upper())
    if what == "archive":
        archive(tmp_path, description="Another")
    else:
        (tmp_path / "folder" / "server" / "main.py").write_text("print('another')\n")
    with pytest.raises(Changed, match="not what was reviewed"):
        _install(tmp_path, exact)
    assert list((tmp_path / "bundles").rglob("*")) == []
    shutil.rmtree(tmp_path / "folder", ignore_errors=True)
    write()
    assert _install(tmp_path, exact).definition.source.sha256 == reviewed


def _install(root: Path, request: InstallRequest) -> Any:
    return read_bundle(
        request,
        workspace="team",
        bundles_dir=root / "bundles",
        python="/opt/python",
        which=which,
    )


def sign(path: Path, block: bytes, *, into_comment: bool = False) -> None:
    """Put a signature block behind an archive, as `mcpb sign` does."""
    whole = b"MCPB_SIG_V1" + struct.pack("<L", len(block)) + block + b"MCPB_SIG_END"
    content = path.read_bytes()
    if into_comment:
        content = content[:-2] + struct.pack("<H", len(whole))
    path.write_bytes(content + whole)


@pytest.mark.parametrize("into_comment", [False, True])
@pytest.mark.parametrize("block", [b"", b"\x30\x82garbage", b"MCPB_SIG_V1\0\0\0\0MCPB_SIG_END"])
def test_a_signed_archive_has_the_hash_of_its_content_too(
    tmp_path: Path, block: bytes, into_comment: bool
) -> None:
    path = write_archive(tmp_path / "a.mcpb")
    content = path.read_bytes()
    sign(path, block, into_comment=into_comment)
    read = unpack(path, tmp_path / "out")
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.content_sha256 == hashlib.sha256(content).hexdigest()
    assert read.signed_by == ""
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["manifest.json", "server"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to sign")
def test_a_signature_names_its_signer_and_proves_nothing(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.mcpb")
    key, cert, der = (str(tmp_path / name) for name in ("key", "cert", "der"))
    subject = ["-subj", "/CN=A. Signer\\, \x1b[2J/O=Works"]
    base = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*base, "-keyout", key, "-out", cert, *subject], check=True, capture_output=True)
    cms = ["openssl", "cms", "-sign", "-binary", "-in", str(path), "-signer", cert]
    subprocess.run([*cms, "-inkey", key, "-outform", "DER", "-out", der], check=True)
    sign(path, Path(der).read_bytes())
    found = plan(tmp_path, InstallRequest(SourceKind.MCPB, path=str(path)))
    assert found.signed_by is not None
    assert found.signed_by.startswith("A. Signer") and "\x1b" not in found.signed_by
    [note] = found.notes
    assert note.code == "signed" and not note.is_warning and "proves nothing" in note.sentence


def test_a_signature_that_lies_about_its_length_is_other_data(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.mcpb")
    with path.open("ab") as file:
        file.write(b"MCPB_SIG_V1" + struct.pack("<L", 2**31) + b"x" * 90_000 + b"MCPB_SIG_END")
    with pytest.raises(BadArchive):
        unpack(path, tmp_path / "out")


def test_a_command_that_is_to_be_replaced_says_by_what(tmp_path: Path) -> None:
    command = ("uv", "tool", "run", "mcp-server-time")
    found = plan(tmp_path, InstallRequest(SourceKind.COMMAND, command=command, resolve=True))
    assert codes(found) == {"resolved"} and found.copy is None
    assert found.name == "mcp-server-time"
