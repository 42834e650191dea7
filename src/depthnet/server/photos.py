"""What the page and the API do with a photo: the predictor's work, within the server's limits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from depthnet.checkpoint import SHIPPED
from depthnet.config import PredictConfig, ServeConfig
from depthnet.cores import usable_cores
from depthnet.errors import InputError
from depthnet.io.images import open_image
from depthnet.predictor import DepthModel, Prediction, load_model
from depthnet.predictor.prediction import output_paths

#: Where a focal length comes from -> how the page says it.
FOCAL_SOURCES = {
    "--focal-px": "as given",
    "--fov-deg": "from the field of view as given",
    "EXIF": "from the photo's EXIF data",
    "training camera": "a guess: the training camera's view",
    "assumed view": "a guess: an ordinary view",
}
MAX_POINTS = PredictConfig.max_points


class Photos:
    """The models that visitors may choose, and the limits of what they may bring.

    Args:
        config: options of the server.

    Raises:
        InputError: if the model that ``config`` names cannot be used, or a limit is not positive.
    """

    def __init__(self, config: ServeConfig) -> None:
        if config.max_megapixels <= 0:
            raise InputError(f"--max-megapixels {config.max_megapixels:g}: give a positive number.")
        self._config = config
        shipped = config.model in SHIPPED
        self.default = config.model if shipped else Path(config.model).name
        #: What visitors see -> what is loaded: they choose among names and never give a path.
        self.models = {self.default: config.model} | {name: name for name in SHIPPED if name != self.default}
        self._loaded: dict[str, DepthModel] = {}
        self._lock = threading.Lock()
        if self.model(self.default).info.kind == "affine_invariant":
            raise InputError(f"--model {config.model}: gives no metres, only what is nearer; choose a metric model.")

    def model(self, name: str) -> DepthModel:
        """The model of that name, loaded when it is first wanted and then shared: running it changes nothing in it.

        Raises:
            InputError: if visitors may not choose it.
        """
        if name not in self.models:
            raise InputError(f"model {name!r}: choose among {', '.join(self.models)}.")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_model(self.models[name], self._config.device, self._config.threads)
            return self._loaded[name]

    def predict(self, photo: Path, model: str, focal_px: float | None, fov_deg: float | None) -> Prediction:
        """Depth of a photo; arguments and errors are those of :meth:`DepthModel.predict`."""
        self._check_pixels(photo)
        return self.model(model).predict(photo, focal_px, fov_deg)

    def write(
        self,
        photo: Path,
        out: Path,
        formats: Sequence[str],
        model: str,
        focal_px: float | None,
        fov_deg: float | None,
        max_points: int = MAX_POINTS,
    ) -> tuple[Prediction, tuple[Path, ...]]:
        """Depth of a photo, and its files, each written in a thread of its own while there are cores.

        Raises:
            InputError: as :meth:`predict`, or if a format is unknown or none is given.
        """
        wanted = output_paths(photo.stem, out, formats)
        prediction = self.predict(photo, model, focal_px, fov_deg)
        with ThreadPoolExecutor(min(len(wanted), usable_cores())) as writers:
            saved = writers.map(lambda name: prediction.save(out, name, max_points=max_points), wanted)
            return prediction, tuple(path for paths in saved for path in paths)

    def _check_pixels(self, photo: Path) -> None:
        """Refuse by its header a photo that would take too much memory; beyond it holds the limit of io.images."""
        with open_image(photo) as picture:
            megapixels = picture.width * picture.height / 1e6
        if megapixels > self._config.max_megapixels:
            raise InputError(
                f"{photo}: {megapixels:.1f} million pixels; this server takes up to {self._config.max_megapixels:g}. "
                "Resize it first."
            )


def describe_focal(focal_px: float, source: str) -> str:
    """The focal length that was used and where it comes from, in the page's words."""
    return f"focal length {focal_px:.1f} px, {FOCAL_SOURCES[source]}"


def visitor_line(error: Exception, photo: Path | None) -> str:
    """An error in words for visitors: the photo by its name, the options as the page calls them.

    Args:
        error: the error.
        photo: the photo as it lies on this machine.
    """
    line = str(error)
    names = {} if photo is None else {str(photo): photo.name}
    for ours, theirs in (names | {"--focal-px": "Focal length", "--fov-deg": "Field of view"}).items():
        line = line.replace(ours, theirs)
    return line
