"""The API gives what `depthnet predict` gives: for one, for many at once, and one line for what cannot be done."""

from __future__ import annotations

import json
import math
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.benchmark.serve import http_client
from depthnet.predictor import OUTPUT_NAMES, DepthModel, load_model

gradio_client = pytest.importorskip("gradio_client", reason="no Gradio here: pip install depthnet[serve]")


@pytest.fixture(scope="module")
def model() -> DepthModel:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return gradio_client.Client(address, verbose=False, download_files=tmp_path_factory.mktemp("got"))


def ask(client: Any, photo: Path, **options: Any) -> tuple[dict[str, Any], list[Path]]:
    facts, files = client.predict(photo=gradio_client.handle_file(photo), api_name="/predict", **options)
    return facts, [Path(file) for file in files]


def test_the_answer_is_that_of_predict(client: Any, model: DepthModel, make_photo: Any, tmp_path: Path) -> None:
    photo = make_photo(tmp_path / "my photo.jpg")
    formats = list(OUTPUT_NAMES)
    facts, files = ask(client, photo, save=formats)
    prediction = model.predict(photo)
    own = prediction.save(tmp_path / "own", formats)
    assert [file.name for file in files] == [file.name for file in own]
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in own]
    assert (facts["width"], facts["height"], facts["model"]) == (64, 48, "mobile")
    assert facts["median_m"] == pytest.approx(float(np.median(prediction.depth)))
    assert facts["near_m"] < facts["median_m"] < facts["far_m"]
    assert (facts["focal_px"], facts["focal_source"]) == (prediction.focal_px, "training camera")


def test_a_photo_is_read_as_predict_reads_it(
    client: Any, model: DepthModel, make_photo: Any, exif: Image.Exif, tmp_path: Path
) -> None:
    turned = make_photo(tmp_path / "turned.jpg", exif=exif)
    deep = tmp_path / "deep.png"
    Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21).save(deep)
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (64, 48), (200, 30, 30, 90)).save(clear)
    for photo in (turned, deep, clear):
        facts, (npy,) = ask(client, photo, save=["npy"])
        np.testing.assert_array_equal(np.load(npy), model.predict(photo).depth)
    facts, _ = ask(client, turned, save=["npy"])
    assert (facts["width"], facts["height"], facts["focal_source"]) == (48, 64, "EXIF")
    assert facts["focal_px"] == pytest.approx(28 / 43.2666 * math.hypot(64, 48), rel=1e-4)


@pytest.mark.parametrize(("option", "source"), [({"focal_px": 70.5}, "focal-px"), ({"fov_deg": 50.0}, "fov-deg")])
def test_the_camera_may_be_given(
    client: Any, model: DepthModel, make_photo: Any, tmp_path: Path, option: dict[str, float], source: str
) -> None:
    photo = make_photo(tmp_path / "photo.png")
    facts, (npy,) = ask(client, photo, save=["npy"], **option)
    prediction = model.predict(photo, **option)
    np.testing.assert_array_equal(np.load(npy), prediction.depth)
    assert (facts["focal_px"], facts["focal_source"]) == (prediction.focal_px, source)


def test_twenty_users_at_once_get_their_own_answers(
    address: str, model: DepthModel, make_photo: Any, tmp_path: Path
) -> None:
    photos = [make_photo(tmp_path / f"{user:02d}.png", seed=user, size=(32 + user, 40)) for user in range(20)]
    together = threading.Barrier(len(photos), timeout=120)

    def use(photo: Path) -> list[bytes]:
        with http_client(address) as ask:
            together.wait()
            return ask(photo, ("npy", "png"))

    with ThreadPoolExecutor(len(photos)) as users:
        answers = list(users.map(use, photos))
    for photo, answer in zip(photos, answers, strict=True):
        assert answer == [path.read_bytes() for path in model.predict(photo).save(tmp_path / "own", ("npy", "png"))]


def write_text(path: Path) -> None:
    path.write_text("no photo")


def write_cut(path: Path) -> None:
    Image.effect_noise((200, 200), 50).save(path)
    path.write_bytes(path.read_bytes()[:-9000])


def write_large(path: Path) -> None:
    Image.new("L", (2000, 1000)).save(path)


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        (
            "notes.jpg",
            write_text,
            r"notes\.jpg: not an image that Pillow can read; pass a JPEG, PNG, WebP or TIFF file",
        ),
        ("cut.png", write_cut, r"cut\.png: damaged or truncated image"),
        ("huge.png", write_large, r"huge\.png: 2\.0 million pixels; this server takes up to 1\. Resize it first"),
    ],
)
def test_a_bad_photo_is_one_line_and_the_server_goes_on(
    client: Any, make_photo: Any, tmp_path: Path, name: str, write: Callable[[Path], None], said: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(gradio_client.exceptions.AppError, match=f"^{said}") as error:
        ask(client, tmp_path / name, save=["npy"])
    assert "depthnet-serve" not in str(error.value)
    facts, _ = ask(client, make_photo(tmp_path / "good.png"), save=["npy"])
    assert facts["width"] == 64


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"focal_px": -3.0}, "Focal length -3: a focal length is a positive number of pixels"),
        ({"focal_px": 50.0, "fov_deg": 60.0}, "Focal length 50 and Field of view 60: give one of the two"),
        ({"save": []}, "nothing to write"),
        ({"model": "/etc/passwd"}, "not in the list of choices"),
        ({"save": ["exe"]}, "not in the list of choices"),
    ],
)
def test_a_bad_option_is_one_line(
    client: Any, make_photo: Any, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(gradio_client.exceptions.AppError, match=said):
        ask(client, make_photo(tmp_path / "photo.png"), **{"save": ["npy"], **options})


def test_a_file_over_the_limit_is_not_taken(client: Any, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(bytes(1_200_000))
    with pytest.raises(ValueError, match="exceeds the maximum file size of 1048576 bytes"):  # says the client
        ask(client, large, save=["npy"])
    request = urllib.request.Request(f"{client.src}gradio_api/upload", data=large.read_bytes(), method="POST")
    with pytest.raises(urllib.error.HTTPError) as error:  # says the server
        urllib.request.urlopen(request)
    assert error.value.code == 413
    assert json.load(error.value)["error"] == "the file is larger than 1 MB, the limit of this server."


def test_the_api_says_what_it_takes_and_gives(address: str) -> None:
    with urllib.request.urlopen(f"{address}/gradio_api/info") as answer:
        named = json.load(answer)["named_endpoints"]
    assert list(named) == ["/predict"]
    predict = named["/predict"]
    names = [parameter["parameter_name"] for parameter in predict["parameters"]]
    assert names == ["photo", "model", "focal_px", "fov_deg", "save"]
    needed = [one["parameter_name"] for one in predict["parameters"] if not one["parameter_has_default"]]
    assert needed == ["photo"]
    assert {*names, *OUTPUT_NAMES, "near_m"} <= set(re.findall(r"[\w-]+", predict["description"]))


def test_each_format_of_predict_has_words_on_the_page() -> None:
    from depthnet.server.page import FORMATS

    assert set(FORMATS) == set(OUTPUT_NAMES)
