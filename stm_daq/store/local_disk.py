"""A journal needs a local disk: network file systems lie about what has reached the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath, PureWindowsPath

from stm_daq.errors import BadInputError

_NETWORKS = """
nfs nfs4 cifs smb smb2 smb3 smbfs afpfs webdav davfs afs 9p ceph glusterfs lustre fuse.sshfs
fuse.rclone fuse.davfs2 fuse.glusterfs fuse.ceph fuse.s3fs fuse.gvfsd-fuse macfuse.sshfs
"""
NETWORK = frozenset(_NETWORKS.split())
"""Types of file systems that live on another computer, as the operating systems name them."""
_REMOTE_DRIVE = 4
"""What Windows' GetDriveTypeW returns for a network drive (DRIVE_REMOTE)."""

type Mount = tuple[str, str]
"""Where a file system is mounted, and its type."""


def require_local_disk(folder: Path, mounts: Iterable[Mount] | None = None) -> None:
    """Refuse a folder on a network file system, where SQLite's locks and syncs cannot be trusted.

    See "SQLite Over a Network, Caveats and Considerations", sqlite.org/useovernet.html.

    Parameters
    ----------
    folder : Path
        It need not exist yet.
    mounts : iterable of (place, type), optional
        The file systems of this computer; asked of the operating system by default.

    Raises
    ------
    BadInputError
        If the folder lies on one.
    """
    place = folder.resolve()
    if sys.platform == "win32" and mounts is None:
        kind = windows_network(place, _windows_drive_type)
    else:
        kind = network_type(place, system_mounts() if mounts is None else mounts)
    if kind:
        raise BadInputError(
            f"{folder} lies on a network file system ({kind}), which may lose a spectrum that was "
            "reported as stored: choose a folder on a local disk with --runs, and copy the run "
            "when it has ended"
        )


def network_type(place: PurePath, mounts: Iterable[Mount]) -> str:
    """Return the type of the network file system that a path lies on; "" if it is a local one."""
    depth, found = -1, ""
    for point, kind in mounts:
        mounted = type(place)(point)
        # the last one mounted at a place hides those below it
        if place.is_relative_to(mounted) and len(mounted.parts) >= depth:
            depth, found = len(mounted.parts), kind
    return found if found in NETWORK else ""


def system_mounts() -> list[Mount]:
    """Return the mounted file systems; none if the system does not tell."""
    table = Path("/proc/mounts")
    if table.exists():
        return linux_mounts(table.read_text(encoding="utf-8", errors="surrogateescape"))
    if sys.platform == "darwin":
        command = ["/sbin/mount"]
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10.0)
        return macos_mounts(told.stdout)
    return []


def linux_mounts(table: str) -> list[Mount]:
    """Read the text of /proc/mounts, where blanks in names are written as octal numbers."""
    found = [line.split() for line in table.splitlines()]
    return [(_unescaped(words[1]), words[2]) for words in found if len(words) > 2]


def macos_mounts(table: str) -> list[Mount]:
    """Read what ``mount`` prints on macOS: ``//me@host/data on /Volumes/data (smbfs, nodev)``."""
    found = []
    for line in table.splitlines():
        names, _, options = line.rpartition(" (")
        _, on, point = names.partition(" on ")
        if on:
            found.append((point, options.split(",")[0].rstrip(")")))
    return found


def windows_network(place: PurePath, drive_type: Callable[[str], int]) -> str:
    """Return what kind of network place a path of Windows is; "" if its drive is local.

    Parameters
    ----------
    place : PurePath
        Absolute.
    drive_type : callable
        Returns the type of a drive such as ``C:\\`` as GetDriveTypeW does.
    """
    path = PureWindowsPath(place)
    if path.drive.startswith("\\\\") and not path.drive.startswith("\\\\?\\"):
        return "a network share"
    return "a network drive" if drive_type(path.anchor) == _REMOTE_DRIVE else ""


def _windows_drive_type(root: str) -> int:
    import ctypes

    return int(ctypes.windll.kernel32.GetDriveTypeW(root))  # type: ignore[attr-defined]


def _unescaped(name: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        name = name.replace(code, character)
    return name
