"""Files are whole or absent, and what the disk refuses is one line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from depthnet.errors import InputError
from depthnet.io.files import atomic_path, locked_folder


def everything_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_file_appears_under_its_name_only_when_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "depth.png"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".png"  # writers choose the format by it
        assert temporary.parent == target.parent  # a rename across file systems would not be atomic
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert everything_under(tmp_path) == ["new", "new/folder", "new/folder/depth.png"]


def fail_half_way(target: Path, error: BaseException) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"the part that fitted")
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_failed_writer_leaves_the_old_file_and_nothing_else(error: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "depth.npy"
    target.write_bytes(b"old")
    with pytest.raises(error):
        fail_half_way(target, error())
    assert target.read_bytes() == b"old"
    assert everything_under(tmp_path) == ["depth.npy"]


def test_nothing_is_replaced_unless_asked(tmp_path: Path) -> None:
    target = tmp_path / "depth.npy"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match=r"depth\.npy: exists already; pass --overwrite"), atomic_path(target, False):
        pytest.fail("the writer was called")
    with atomic_path(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def write(target: Path, overwrite: bool = True) -> None:
    with atomic_path(target, overwrite) as temporary:
        temporary.write_bytes(b"data")


@pytest.mark.parametrize("below", ["depth.png", "deeper/depth.png"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_parent_that_is_a_file(below: str, overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(InputError, match=r"depth\.png: cannot be written \(.+\); free space or choose another --out"):
        write(tmp_path / "file" / below, overwrite)
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_name_that_the_file_system_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / ("x" * 300), overwrite=False)
    assert everything_under(tmp_path) == []


def test_a_target_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="out: cannot be written"):
        write(tmp_path / "out")
    assert everything_under(tmp_path) == ["out"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"depth\.npy: .*No space left on device.*; free space") as caught:
        fail_half_way(tmp_path / "depth.npy", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert "\n" not in str(caught.value)
    assert everything_under(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full on this system")
def test_a_device_that_is_truly_full(tmp_path: Path) -> None:
    def write_to_device() -> None:
        with atomic_path(tmp_path / "depth.npy") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"data")

    with pytest.raises(InputError, match="No space left on device"):
        write_to_device()
    assert everything_under(tmp_path) == []


def test_a_locked_folder_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "new", "job"):
        start = time.monotonic()
        with (
            pytest.raises(InputError, match="new: another `job` is writing there"),
            locked_folder(tmp_path / "new", "job", patience_s=0.3),
        ):
            pytest.fail("two processes would have written")
        assert time.monotonic() - start >= 0.3
    with locked_folder(tmp_path / "new", "job"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_a_process_that_was_given_the_lock_holds_it_after_its_giver(tmp_path: Path) -> None:
    with locked_folder(tmp_path, "job") as lock:
        assert lock is not None
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
    with pytest.raises(InputError, match="another `job`"), locked_folder(tmp_path, "job"):
        pytest.fail("the child was not waited for")
    child.communicate(b"\n")
    with locked_folder(tmp_path, "job", patience_s=60.0):
        pass
