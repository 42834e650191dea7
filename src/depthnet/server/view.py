"""The picture of a depth map under which the page's script finds the metres of each pixel."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.io.depth import colour_range, colourise_depth, nice_ticks, write_depth_png
from depthnet.io.files import atomic_path
from depthnet.io.images import RGB
from depthnet.predictor import Prediction

if TYPE_CHECKING:
    import gradio

#: Pixels of the longer side of the pictures on the page; the depth behind them keeps the photo's own pixels.
LARGEST = 1600
_TICKS = 6
_COLOURS = 24
_QUALITY = 88


def write_view(prediction: Prediction, place: Path) -> tuple[tuple[str, str], dict[str, Any]]:
    """Write the pictures of a prediction.

    Args:
        prediction: depth of a photo.
        place: an empty folder.

    Returns:
        The two pictures of the slider, photo and colours, and what the depth picture's script needs.
    """
    depth = prediction.depth
    height, width = depth.shape
    low, high = colour_range(depth, depth > 0, None, None)
    step = -(-max(depth.shape) // LARGEST)
    before, after = place / "photo.jpg", place / "colours.png"
    metres = place / f"{prediction.stem}_depth.png"
    _write_picture(before, prediction.image[::step, ::step])
    _write_picture(after, colourise_depth(depth[::step, ::step], low, high))
    write_depth_png(metres, depth)
    ticks, digits = nice_ticks(low, high, most=_TICKS)
    value = {
        "picture": _file(after),
        "metres": _file(metres),
        "width": width,
        "height": height,
        "colours": _colours(low, high),
        "ticks": [[f"{tick:.{digits}f} m", round((high - tick) / (high - low), 4)] for tick in ticks],
    }
    return (str(before), str(after)), value


def build_view(gr: Any) -> gradio.HTML:
    """The depth picture of the page: Gradio's component for HTML with our script in it."""
    room = files("depthnet.server")
    html, style, script = ((room / f"view.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    view: gradio.HTML = gr.HTML(
        value=None, label="Depth", elem_id="depth", html_template=html, css_template=style, js_on_load=script
    )
    return view


def _write_picture(path: Path, pixels: RGB) -> None:
    with atomic_path(path) as temporary:
        # Each format takes its own option of the two.
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, quality=_QUALITY, compress_level=1)


def _file(path: Path) -> dict[str, Any]:
    """A file in the words of Gradio, which makes an address of it."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def _colours(low: float, high: float) -> list[str]:
    """The colours of the scale from far (top) to near, as CSS says them."""
    ramp: NDArray[np.float64] = np.linspace(high, low, _COLOURS)[:, None]
    return [f"rgb({', '.join(map(str, colour))})" for colour in colourise_depth(ramp, low, high)[:, 0].tolist()]
