"""Which paths lie on mounts that may never answer, by the kernel's table alone."""

from __future__ import annotations

import os

import pytest

from healmon.world.farmounts import Mounts, Seen, mounts

TABLE = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:50 / /mnt/far\040away rw,relatime - nfs4 box:/export rw
31 30 8:2 / /mnt/far\040away/disk rw - xfs /dev/sdb1 rw
32 21 0:60 / /home/a/cloud rw,nosuid shared:7 master:1 - fuse.sshfs a@b: rw
33 21 0:70 / /over rw - nfs box:/old rw
34 33 8:3 / /over rw - ext4 /dev/sdc1 rw
35 21 0:71 / /mnt/ö rw - cifs //box/o rw
damaged
"""


@pytest.mark.parametrize(
    ("path", "device"),
    [
        ("/", None),
        ("/var/log", None),
        ("/mnt/far away", (0, 50)),
        ("/mnt/far away/logs/a", (0, 50)),
        ("/mnt/far away/disk/logs", None),
        ("/mnt/far awayer", None),
        ("/home/a/cloud/x (deleted)", (0, 60)),
        ("/over/x", None),
        ("/mnt/ö/x", (0, 71)),
        ("pipe:[123]", None),
        ("", None),
    ],
)
def test_the_nearest_mount_above_a_path_decides(path, device):
    wanted = None if device is None else os.makedev(*device)
    assert Mounts(TABLE.splitlines()).far(path) == wanted


def test_where_nothing_is_far_or_known_everything_is_near(tmp_path):
    assert Mounts(()).far("/mnt") is None
    assert mounts("none").far("/mnt") is None
    assert Seen().by("self").far(str(tmp_path)) is None
