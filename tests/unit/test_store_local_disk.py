"""Runs are refused on network file systems, whatever system tells of them."""

from pathlib import Path, PurePosixPath

import pytest

from stm_daq.errors import BadInputError
from stm_daq.store.local_disk import (
    linux_mounts,
    macos_mounts,
    network_type,
    require_local_disk,
    system_mounts,
    windows_network,
)

LINUX = """\
/dev/nvme0n1p2 / ext4 rw,relatime 0 0
server:/export /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/anna/disk ext4 rw 0 0
anna@host:/data /mnt/two\\040words fuse.sshfs rw 0 0
//nas/stm /mnt/stm cifs rw 0 0
"""
MACOS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//anna@nas._smb._tcp.local/stm on /Volumes/stm data (smbfs, nodev, nosuid, mounted by anna)
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/runs", ""),
        ("/home/anna/runs", "nfs4"),
        ("/home/anna/disk/runs", ""),
        ("/home/annas", "nfs4"),
        ("/homes/anna", ""),
        ("/mnt/two words/runs", "fuse.sshfs"),
        ("/mnt/stm", "cifs"),
    ],
)
def test_the_deepest_mount_decides(place, kind):
    assert network_type(PurePosixPath(place), linux_mounts(LINUX)) == kind


def test_the_last_mount_at_a_place_hides_the_others():
    mounts = [("/", "ext4"), ("/data", "nfs"), ("/data", "ext4")]
    assert network_type(PurePosixPath("/data/runs"), mounts) == ""


def test_what_macos_tells():
    mounts = macos_mounts(MACOS)
    assert network_type(PurePosixPath("/Volumes/stm data/runs"), mounts) == "smbfs"
    assert network_type(PurePosixPath("/Users/anna/runs"), mounts) == ""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (r"C:\runs", ""),
        (r"Z:\runs", "a network drive"),
        (r"\\nas\stm\runs", "a network share"),
        (r"\\?\C:\runs", ""),
    ],
)
def test_places_of_windows(place, kind):
    assert windows_network(place, lambda root: 4 if root.startswith("Z") else 3) == kind


def test_the_refusal_says_what_to_do(tmp_path):
    mounts = [*system_mounts(), (str(tmp_path.resolve()), "nfs4")]
    with pytest.raises(BadInputError, match=r"network file system \(nfs4\).*--runs"):
        require_local_disk(tmp_path / "new" / "runs", mounts)


def test_a_local_folder_is_taken():
    require_local_disk(Path("runs"), [("/", "ext4"), ("C:\\", "ntfs")])
