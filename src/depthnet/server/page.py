"""The page and the API: what visitors give, which function answers, and where the answer stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthnet.errors import DepthNetError, MissingTierError
from depthnet.predictor import Prediction
from depthnet.server.folder import new_place
from depthnet.server.photos import MAX_POINTS, Photos, describe_focal, visitor_line
from depthnet.server.view import build_view, write_view

if TYPE_CHECKING:
    import gradio

#: Photos that are worked on at the same time: one is read or written while the network runs on the other.
AT_ONCE = 2
#: Visitors whose open tabs are remembered; each call of the API without a session counts as one.
SESSIONS = 200
TITLE = "depthnet"
INTRODUCTION = """# depthnet
Depth in metres from one photo. The photo stays on the machine that serves this page, for an hour at most."""
GUESSED = "Without the true focal length, all metres may be off by one factor: give it under *Camera*."
FORMATS = {
    "png": "PNG: 16-bit, millimetres",
    "npy": "NPY: float32, metres",
    "ply": "PLY: point cloud, metres",
    "glb": "GLB: point cloud",
    "mesh": "GLB: mesh with the photo on it",
    "mesh-ply": "PLY: mesh",
    "colour": "PNG: colours with their scale",
}
#: Points of the cloud on the page at most: a phone turns so many without effort.
VIEWER_POINTS = 300_000
_STYLE = """
.gradio-container { width: 100%; max-width: 1280px !important; margin: 0 auto !important }
#facts { min-height: 1.5em }
.html-container { padding: 0 !important }
footer .divider { display: none }
"""


def import_gradio() -> Any:
    """Gradio, imported only when a page is built.

    Raises:
        MissingTierError: if it is not installed.
    """
    try:
        import gradio
    except ImportError as error:
        raise MissingTierError('the page needs gradio: pip install "depthnet[serve]"') from error
    return gradio


def build_page(photos: Photos, folder: Path, waiting: int) -> gradio.Blocks:
    """The page.

    Args:
        photos: the models and limits.
        folder: where results go, a new place in it for each request.
        waiting: requests that may wait; more are turned away.
    """
    gr = import_gradio()
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                given = _inputs(gr, photos)
            with gr.Column(scale=3, min_width=320):
                facts = gr.Markdown("Drop a photo, take one, or paste one.", elem_id="facts")
                with gr.Tab("Depth"):
                    view = build_view(gr)
                with gr.Tab("Compare"):
                    slider = gr.ImageSlider(label="Photo and depth", type="filepath", max_height=640, elem_id="slider")
                with gr.Tab("3-D") as cloud_tab:
                    cloud = gr.Model3D(
                        label="Point cloud: drag to turn", height=520, elem_id="cloud", interactive=False
                    )
                with gr.Tab("Files"):
                    formats, button, files = _files(gr)
        record, wanted = gr.JSON(visible=False, label="facts"), gr.State(False)

        answers = Answers(gr, photos, folder)
        shared: Any = {"concurrency_limit": AT_ONCE, "concurrency_id": "photos"}
        private: Any = shared | {"api_visibility": "private"}
        photo, model, focal_px, fov_deg = given
        looked = gr.on(
            [photo.change, model.change, focal_px.submit, focal_px.blur, fov_deg.submit, fov_deg.blur],
            answers.look, given, [facts, view, slider, files], trigger_mode="always_last", **private,
        )  # fmt: skip
        looked.failure(lambda: ("", None, None, None), None, [facts, view, slider, files], **private)
        # The viewer of clouds fails to start with a cloud that came before it, and is heavy: no cloud until it is open.
        looked.success(answers.cloud, [wanted, *given], cloud, **private)
        cloud_tab.select(lambda: True, None, wanted, **private).then(answers.cloud, [wanted, *given], cloud, **private)
        button.click(
            answers.predict, [*given, formats], [record, files], api_name="predict",
            api_description=" ".join(str(Answers.predict.__doc__).split()), **shared,
        )  # fmt: skip
    page.state_session_capacity = SESSIONS
    page.upload_file_set = _Unlisted()
    for block in page.blocks.values():
        block.temp_files = _Unlisted()
    page.queue(max_size=waiting, default_concurrency_limit=AT_ONCE, api_open=False)
    return page  # type: ignore[no-any-return]


class _Unlisted(set[str]):
    """Gradio's list of its files, always empty: they go by their age (folder.py), and the list would only grow.

    Its own cleaning goes over that list, and dies when a request adds to it meanwhile.
    """

    def add(self, element: str) -> None:
        """Leave it out."""

    def update(self, *others: Iterable[str]) -> None:
        """Leave them out."""


def page_settings(gr: Any) -> dict[str, Any]:
    """How the page looks and what of it is shown: fonts of the system, nothing from elsewhere."""
    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "monospace"])
    return {"theme": theme, "css": _STYLE, "footer_links": ["api"], "run_history": False}


def _inputs(gr: Any, photos: Photos) -> list[Any]:
    """Photo, model and camera."""
    photo = gr.Image(
        type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"], label="Photo", height=320,
        elem_id="photo",
    )  # fmt: skip
    # The uploaded file as it is, not as Gradio would open it: its EXIF data tell the camera, and errors are ours.
    photo.preprocess = lambda payload: None if payload is None else payload.path
    name = "photo.jpg"  # of the example in the API's documentation; Gradio's own would come from the web, refused here
    photo.example_inputs = lambda: {"path": name, "orig_name": name, "url": name, "meta": {"_type": "gradio.FileData"}}
    model = gr.Dropdown(list(photos.models), value=photos.default, label="Model")
    with gr.Accordion("Camera", open=False):
        focal_px = gr.Number(label="Focal length in pixels", info="Of the photo at its own size, upright. 0: unknown.")
        fov_deg = gr.Number(
            label="Field of view in degrees", info="Horizontal; instead of the focal length. 0: unknown."
        )
    return [photo, model, focal_px, fov_deg]


def _files(gr: Any) -> tuple[Any, Any, Any]:
    """What to write, the button that writes it, and what was written."""
    choices = [(words, name) for name, words in FORMATS.items()]
    formats = gr.CheckboxGroup(choices, value=["png", "npy", "ply"], label="What to write")
    button = gr.Button("Write", variant="primary")
    files = gr.File(label="Files", interactive=False, elem_id="files")
    return formats, button, files


class Answers:
    """The functions behind the page and the API; each gets the photo as a path in our folder.

    Args:
        gr: Gradio.
        photos: the models and limits.
        folder: where results go.
    """

    def __init__(self, gr: Any, photos: Photos, folder: Path) -> None:
        self._gr, self._photos, self._folder = gr, photos, folder

    def look(self, photo: str | None, model: str, focal_px: float | None, fov_deg: float | None) -> tuple[Any, ...]:
        """What the page shows of a photo: facts, depth picture, the slider's two pictures, and no files yet."""
        if photo is None:
            return "", None, None, None
        with self._said(photo):
            prediction = self._photos.predict(Path(photo), model, focal_px or None, fov_deg or None)
            pair, value = write_view(prediction, new_place(self._folder))
        height, width = prediction.depth.shape
        words = describe_focal(prediction.focal_px, prediction.focal_source)
        advice = f" {GUESSED}" if "guess" in words else ""
        return f"{width} x {height} pixels, {words}.{advice}", value, pair, None

    def cloud(
        self, wanted: bool, photo: str | None, model: str, focal_px: float | None, fov_deg: float | None
    ) -> str | None:
        """The point cloud that the page turns, if it is open there."""
        if photo is None or not wanted:
            return None
        return str(self._write(photo, ["glb"], model, focal_px, fov_deg, VIEWER_POINTS)[1][0])

    def predict(
        self,
        photo: str | None,
        model: str,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        save: Sequence[str] = (),
    ) -> tuple[dict[str, Any], list[str]]:
        """Depth of one photo in metres.

        photo is a JPEG, PNG, WebP or TIFF file; model is one of the names that the page offers. focal_px is the focal
        length of the upright photo in pixels of its own size, fov_deg its horizontal field of view in degrees: give one
        of the two, or none (nothing or 0) to take it from EXIF data or else assume the training camera's view. save
        names the files to write: png (16-bit, mm), npy (float32, m), ply and glb (point clouds), mesh and mesh-ply,
        colour (a picture). The answer is two things. Facts: width and height in pixels; near_m, median_m and far_m (2 %
        of the pixels are nearer or farther than the ends); focal_px and focal_source; model. Then the files,
        in the order of save.
        """
        if photo is None:
            raise self._gr.Error("Give a photo first.", print_exception=False)
        prediction, files = self._write(photo, save, model, focal_px, fov_deg)
        height, width = prediction.depth.shape
        near, median, far = prediction.depth_range
        source = prediction.focal_source.removeprefix("--")
        facts = {
            "width": width, "height": height, "near_m": near, "median_m": median, "far_m": far,
            "focal_px": prediction.focal_px, "focal_source": source, "model": model,
        }  # fmt: skip
        return facts, [str(path) for path in files]

    def _write(
        self,
        photo: str,
        save: Sequence[str],
        model: str,
        focal_px: float | None,
        fov_deg: float | None,
        max_points: int = MAX_POINTS,
    ) -> tuple[Prediction, tuple[Path, ...]]:
        place = new_place(self._folder)
        with self._said(photo):
            return self._photos.write(Path(photo), place, save, model, focal_px or None, fov_deg or None, max_points)

    @contextmanager
    def _said(self, photo: str) -> Iterator[None]:
        """Make of an error of ours one line on the page."""
        try:
            yield
        except DepthNetError as error:
            line = visitor_line(error, Path(photo))
            raise self._gr.Error(line, print_exception=False, title="This did not work") from error
