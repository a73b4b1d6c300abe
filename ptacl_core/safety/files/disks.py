"""On what kind of disk a folder lies: locks hold on local ones, and may not on others."""

from contextlib import suppress
from pathlib import Path

_NETWORK = (
    "nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "fuse.sshfs",
    "9p", "afs",
)  # fmt: skip


def find_network_disk(folder: Path) -> str | None:
    """The kind of the network file system that holds `folder`; None for local disks."""
    with suppress(OSError, ValueError):
        place = str(folder.resolve())
        best, kind = "", ""
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            mount = left.split()[4].replace("\\040", " ")
            is_above = place == mount or place.startswith(mount.rstrip("/") + "/")
            if is_above and len(mount) >= len(best):
                best, kind = mount, right.split()[0]
        if kind.startswith(_NETWORK):
            return kind
    return None
