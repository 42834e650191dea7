"""The files of a folder or of a `.zip`, read under the same names; a zip is never unpacked."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from depthnet.errors import InputError, one_line

_DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class FileTree:
    """Files by their path below a folder, or inside an archive, with ``/`` between the parts.

    It can be pickled and forked: an archive is opened once by each process that reads from it.
    """

    def __init__(self, path: str | Path) -> None:
        """Name the folder or `.zip`; nothing is opened yet."""
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        self._owner = 0

    def where(self, name: str) -> Path:
        """Path of a file for messages."""
        return self.path / name

    def list(self, below: str = "") -> list[str]:
        """Names of all files whose name starts with the folder ``below``, sorted.

        Raises:
            InputError: if the archive is damaged.
        """
        prefix = f"{below}/" if below else ""
        if self.path.is_dir():
            found = []
            for folder, _, files in os.walk(self.path / below):
                inner = Path(folder).relative_to(self.path).as_posix()
                found += [name if inner == "." else f"{inner}/{name}" for name in files]
            return sorted(found)
        names = self._archive().namelist()
        return sorted(name for name in names if name.startswith(prefix) and not name.endswith("/"))

    def read(self, name: str) -> bytes:
        """Content of one file.

        Raises:
            InputError: if it is not there or damaged.
        """
        with self.open(name) as file:
            try:
                return file.read()
            except _DAMAGED as error:
                raise self.damaged(name, error) from error

    def open(self, name: str) -> IO[bytes]:
        """Open one file for reading; a compressed one seeks forward by decompressing, backward from its start.

        Raises:
            InputError: if it is not there or damaged.
        """
        try:
            return self._archive().open(name) if self.path.is_file() else self.where(name).open("rb")
        except (KeyError, FileNotFoundError) as error:
            raise InputError(f"{self.where(name)}: no such file; copy or fetch the data again.") from error
        except _DAMAGED as error:
            raise self.damaged(name, error) from error

    def size(self, name: str) -> int:
        """Length of one file in bytes, as it is when uncompressed.

        Raises:
            InputError: if it is not there.
        """
        try:
            return self._archive().getinfo(name).file_size if self.path.is_file() else self.where(name).stat().st_size
        except (KeyError, OSError) as error:
            raise InputError(f"{self.where(name)}: no such file; copy or fetch the data again.") from error

    def damaged(self, name: str, error: BaseException) -> InputError:
        """What to raise when reading from an opened file fails."""
        reason = one_line(error) or type(error).__name__
        return InputError(f"{self.where(name)}: cannot be read ({reason}); copy or fetch it again.")

    def _archive(self) -> zipfile.ZipFile:
        """The open archive of this process: the position in a file must not be shared across a fork."""
        if self._zip is None or self._owner != os.getpid():
            try:
                self._zip, self._owner = zipfile.ZipFile(self.path), os.getpid()
            except _DAMAGED as error:
                raise InputError(
                    f"{self.path}: not a whole .zip file ({error}); fetch it again, or pass the extracted folder."
                ) from error
        return self._zip

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_zip": None, "_owner": 0}
