"""The one folder that the server writes to: private, cleaned while it runs, gone afterwards."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Uploads and results live for so many seconds after they were last written.
AGE_S = 3600.0
#: Seconds between two cleanings.
EVERY_S = 60.0


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that only this user can open; old files leave it every minute, and all of it goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="depthnet-serve-")).resolve()
    ended = threading.Event()

    def clean() -> None:
        while not ended.wait(EVERY_S):
            remove_old(folder, AGE_S)

    cleaner = threading.Thread(target=clean, name="depthnet-serve-cleaner", daemon=True)
    cleaner.start()
    try:
        yield folder
    finally:
        ended.set()
        cleaner.join()
        shutil.rmtree(folder, ignore_errors=True)


def new_place(folder: Path) -> Path:
    """A folder for the results of one request, with a name that nobody can guess."""
    place = folder / secrets.token_hex(16)
    place.mkdir()
    return place


def remove_old(folder: Path, age_s: float) -> None:
    """Remove files that are older than so many seconds, and folders that have been empty for as long."""
    limit = time.time() - age_s
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside comes before its folder
        with suppress(OSError):  # a folder that is not empty, or a file that somebody else has just removed
            if path.lstat().st_mtime < limit:
                path.rmdir() if path.is_dir() else path.unlink()
