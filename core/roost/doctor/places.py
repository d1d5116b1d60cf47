"""The data directory: whose it is, who may enter it, and what it lies on."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil

from roost.doctor.findings import command, ok, problem, warning
from roost.doctor.surroundings import NOT_THERE, Surroundings
from roost.models.doctor import Finding
from roost.settings.daemon_settings import SETTINGS_FILE
from roost.settings.locations import log_path, socket_path

OTHERS = 0o077
"""Bits of a mode that are about anybody else than the owner."""

NETWORK = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "webdav",
    }
)
"""File systems on which locks and the database's shared memory do not hold what they promise."""

IN_MEMORY = frozenset({"devtmpfs", "ramfs", "tmpfs"})

LAYERED = frozenset({"aufs", "overlay"})

NAMED_AT_MOST = 4
"""Files named in one finding."""

LOOKED_AT_MOST = 20_000
"""Log files whose mode is looked at."""

_KEY_SETTING = re.compile(r"^\s*[\"']?vault_key(_previous)?[\"']?\s*=", re.MULTILINE)


def check_data_dir(around: Surroundings) -> Finding:
    """Say whether the directory is there, ours, private and writable."""
    name, place = "data_dir", around.data_dir
    try:
        found = place.stat()
    except NOT_THERE:
        return _missing(around)
    if not stat.S_ISDIR(found.st_mode):
        return problem(
            name,
            f"{place} is not a directory",
            f"move it away with {command('mv', place, f'{place}.old')}, or choose another place "
            "with --data-dir",
        )
    if found.st_uid != around.uid:
        return _belongs_to_another(around, found.st_uid)
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return problem(
            name,
            f"{place} cannot be written to",
            f"give yourself access with {command('chmod', '700', place)}; if its file system is "
            "mounted read-only, mount it for writing",
        )
    if found.st_mode & OTHERS:
        return problem(
            name,
            f"{place} is open to other users (mode {_octal(found.st_mode)})",
            f"close it with {command('chmod', '700', place)}",
        )
    return ok(name, f"{place} is there, private and writable")


def _missing(around: Surroundings) -> Finding:
    above = around.nearest()
    if os.access(above, os.W_OK | os.X_OK) and above.is_dir():
        return ok("data_dir", f"{around.data_dir} does not exist yet; the first start makes it")
    return problem(
        "data_dir",
        f"{around.data_dir} does not exist and cannot be made, because {above} cannot be "
        "written to",
        "choose another place with --data-dir or ROOST_DATA_DIR",
    )


def _belongs_to_another(around: Surroundings, owner: int) -> Finding:
    said = f"{around.data_dir} belongs to the user with id {owner}, and you are {around.uid}"
    if around.uid == 0:
        return warning("data_dir", said, "run Roost as that user, or files of root will stay in it")
    return problem(
        "data_dir",
        said,
        "choose another place with --data-dir, or take it over with "
        f"{command('sudo', 'chown', '-R', str(around.uid), around.data_dir)}",
    )


def check_filesystem(around: Surroundings) -> Finding:
    """Say what the directory lies on, for not every file system keeps a database."""
    name, kind = "filesystem", _filesystem(around.nearest())
    if kind in NETWORK:
        return warning(
            name,
            f"the data directory is on a network file system ({kind}), where locks and the "
            "database are not safe",
            "move it to a local disk: `roost down`, move the directory, and name the new place "
            "with ROOST_DATA_DIR",
        )
    if kind in IN_MEMORY:
        return warning(
            name,
            f"the data directory is in memory ({kind}) and is lost when the machine restarts",
            "choose a place on a disk with --data-dir or ROOST_DATA_DIR, unless that is meant",
        )
    if kind in LAYERED:
        return warning(
            name,
            f"the data directory is in a container's own layer ({kind}) and is lost with it",
            "mount a volume there, and name it with ROOST_DATA_DIR",
        )
    return ok(name, f"the data directory is on a local file system ({kind or 'unknown'})")


def _filesystem(place: Path) -> str:
    """Return the type of the file system that a path is on."""
    path = os.path.realpath(place)
    kind, longest = "", -1
    for mount in psutil.disk_partitions(all=True):
        at = mount.mountpoint
        is_above = path == at or path.startswith(at.rstrip("/") + "/")
        if is_above and len(at) >= longest:  # the later of two mounts on one place covers the other
            kind, longest = mount.fstype, len(at)
    return kind


def check_permissions(around: Surroundings) -> Finding:
    """Name every sensitive file that others may read, or that is somebody else's."""
    name, found = "permissions", list(_looked_at(around))
    foreign = [path for path, file in found if file.st_uid != around.uid]
    if foreign and around.uid != 0:
        return problem(
            name,
            f"not yours: {_named(around, foreign)}",
            "it was made by a daemon of another user; take it over with "
            f"{command('sudo', 'chown', '-R', str(around.uid), around.data_dir)}",
        )
    exposed = [(path, file.st_mode) for path, file in found if file.st_mode & OTHERS]
    if not exposed:
        return ok(name, "keys, database, logs and socket are private")
    said = f"open to other users: {_named(around, [path for path, _ in exposed])}"
    if _is_serious(around, [path for path, _ in exposed]):
        return problem(name, said, _chmod(around, exposed))
    return warning(name, f"{said}; the directory around keeps them out", _chmod(around, exposed))


def _looked_at(around: Surroundings) -> Iterator[tuple[Path, os.stat_result]]:
    for path in _sensitive(around):
        try:
            found = path.lstat()
        except OSError:  # not there, or gone meanwhile
            continue
        if not stat.S_ISLNK(found.st_mode):  # a link has no mode of its own
            yield path, found


def _sensitive(around: Surroundings) -> Iterator[Path]:
    log = Path(log_path(str(around.data_dir)))
    yield around.key_file.parent
    yield from _below(around.key_file.parent)
    yield around.lock
    yield Path(socket_path(str(around.data_dir)))
    yield from (around.database.with_name(f"roost.db{end}") for end in ("", "-wal", "-shm"))
    yield from log.parent.glob(f"{log.name}*")
    settings = around.data_dir / SETTINGS_FILE
    if _holds_key(settings):
        yield settings
    yield from _below(around.data_dir / "crashes")
    for count, path in enumerate(_below(around.data_dir / "logs", deep=True)):
        if count == LOOKED_AT_MOST:
            return
        yield path


def _below(directory: Path, *, deep: bool = False) -> Iterator[Path]:
    for folder, inner, files in os.walk(directory):
        yield from (Path(folder, name) for name in files)
        if not deep:
            inner.clear()


def _holds_key(settings: Path) -> bool:
    try:
        return bool(_KEY_SETTING.search(settings.read_text(errors="replace")))
    except OSError:
        return False


def _named(around: Surroundings, paths: list[Path]) -> str:
    names = [_short(around, path) for path in paths[:NAMED_AT_MOST]]
    more = f" and {len(paths) - NAMED_AT_MOST} more" if len(paths) > NAMED_AT_MOST else ""
    return f"{', '.join(names)}{more}"


def _is_serious(around: Surroundings, paths: list[Path]) -> bool:
    keys = around.key_file.parent
    if any(path == keys or keys in path.parents for path in paths):
        return True  # a daemon refuses such a key
    return any(not _is_private(path.parent, around) for path in paths)


def _is_private(directory: Path, around: Surroundings) -> bool:
    """Say whether some directory around a file keeps others out."""
    inside = (directory, *directory.parents)
    own = [place for place in inside if around.data_dir in (place, *place.parents)] or [directory]
    return any(not place.stat().st_mode & OTHERS for place in own)


def _chmod(around: Surroundings, found: list[tuple[Path, int]]) -> str:
    if len(found) > NAMED_AT_MOST:
        return f"close them all with {command('chmod', '-R', 'go=', around.data_dir)}"
    files = [path for path, mode in found if not stat.S_ISDIR(mode)]
    folders = [path for path, mode in found if stat.S_ISDIR(mode)]
    commands = []
    if folders:
        commands.append(command("chmod", "700", *folders))
    if files:
        commands.append(command("chmod", "600", *files))
    return f"close them with {' and '.join(commands)}"


def _short(around: Surroundings, path: Path) -> str:
    is_inside = around.data_dir in path.parents
    return str(path.relative_to(around.data_dir) if is_inside else path)


def _octal(mode: int) -> str:
    return f"{stat.S_IMODE(mode):04o}"
