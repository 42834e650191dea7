"""A folder of depth maps that any program has written, as something to be scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError
from depthnet.io.depth import read_depth, read_depth_png

FILES = ("{}_depth.npy", "{}.npy", "{}_depth.png", "{}.png")
"""Files of a sample NAME, the first that exists is taken: full precision before millimetres, and the name that can only
mean depth before one that may be the photo itself (`depthnet predict` writes beside its input)."""


def is_prediction_folder(path: str | Path) -> bool:
    """Whether ``--model PATH`` is a folder of predictions: one without the ``config.yaml`` of a training run."""
    path = Path(path)
    return path.is_dir() and not (path / "config.yaml").exists()


class PredictionFolder:
    """Predictions by sample name.

    A name with folders in it (``kitchen/0001``) is looked for in the same folders, then, when its last part is unique
    in the data set, directly in the folder.
    """

    def __init__(self, path: str | Path, names: Iterable[str], scale: float | None = None) -> None:
        """Look which samples have a prediction; no file is opened.

        Args:
            path: the folder.
            names: names of the samples.
            scale: metres per unit of its files; None: 1 for ``.npy``, 0.001 for ``.png``.

        Raises:
            ConfigError: if ``scale`` is not positive.
            InputError: if the folder is missing or has no prediction for any sample.
        """
        if scale is not None and not 0.0 < scale < np.inf:
            raise ConfigError(
                f"--prediction-scale {scale:g}: expected a positive number of metres per unit, for example 0.001."
            )
        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such folder; pass the folder that holds the predictions.")
        self.scale = scale
        names = list(names)
        last_parts = Counter(PurePosixPath(name).name for name in names)
        self._files: dict[str, Path] = {}
        for name in names:
            flat = PurePosixPath(name).name
            stems = [name] if flat == name or last_parts[flat] > 1 else [name, flat]
            found = next((file for stem in stems for file in self._candidates(stem) if file.is_file()), None)
            if found is not None:
                self._files[name] = found
        self.missing = [name for name in names if name not in self._files]
        """Names of the samples without a prediction, in order."""
        if names and not self._files:
            looked_for = ", ".join(pattern.format(names[0]) for pattern in FILES)
            raise InputError(
                f"{self.path}: no prediction for any of the {len(names)} samples; looked for {looked_for} and so on; "
                "name the files after the samples, or pass a model or a run (a folder with config.yaml)."
            )

    def describe_missing(self) -> str:
        """One line on the samples without a prediction (there must be one)."""
        total = len(self.missing) + len(self._files)
        looked_for = ", ".join(pattern.format(self.missing[0]) for pattern in FILES)
        names = ", ".join(self.missing[:5]) + (" ..." if len(self.missing) > 5 else "")
        return (
            f"{self.path}: {len(self.missing)} of {total} samples have no prediction and are not scored: {names} "
            f"(looked for {looked_for}); write them or choose another --split."
        )

    def read(self, name: str) -> NDArray[np.float32]:
        """The prediction of a sample in metres, (H, W), at its own size; NaN, infinity and 0 are passed on.

        Raises:
            InputError: if the file is missing or holds no depth map.
        """
        file = self._files.get(name)
        if file is None:
            raise InputError(f"{self.path}: no prediction named {name}; write {FILES[0].format(name)}.")
        if file.suffix == ".png":
            return read_depth_png(file) if self.scale is None else read_depth_png(file, 1.0) * np.float32(self.scale)
        depth = read_depth(file)
        return depth if self.scale is None else depth * np.float32(self.scale)

    def _candidates(self, stem: str) -> list[Path]:
        return [self.path / pattern.format(stem) for pattern in FILES]
