"""Many files: what counts as an input, what is refused before any work, and that one bad file stops no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import InputError
from depthnet.predictor import DepthModel, FileResult, expand_inputs, predict_files, predict_many


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def found(*inputs: str | Path) -> list[str]:
    paths, failed = expand_inputs(inputs)
    assert not failed
    return names(paths)


def test_folders_files_and_globs(photos: Path) -> None:
    (photos / "notes.txt").write_text("no photo")
    (photos / ".hidden.png").write_bytes(b"no photo")
    (photos / "sub").mkdir()
    Image.new("RGB", (4, 4)).save(photos / "sub" / "D.PNG")
    assert found(photos) == ["a.png", "b.jpg", "c.webp"]
    assert found(str(photos / "*.jpg")) == ["b.jpg"]
    assert found(str(photos / "**" / "*.[pP][nN][gG]")) == ["a.png", "D.PNG"]
    assert found(photos / "c.webp", photos) == ["c.webp", "a.png", "b.jpg"], "each once"
    assert found(photos / "missing.jpg") == ["missing.jpg"], "reading it will say so"


def test_a_name_with_glob_characters_is_a_name_first(photos: Path) -> None:
    Image.new("RGB", (4, 4)).save(photos / "[a].png")
    assert found(str(photos / "[a].png")) == ["[a].png"]


def test_own_results_are_not_inputs(model: DepthModel, photos: Path) -> None:
    predict_files(model, [photos])
    assert (photos / "a_depth_colour.png").exists()
    assert found(photos) == ["a.png", "b.jpg", "c.webp"]
    assert found(str(photos / "*.png")) == ["a.png"]


def test_a_folder_or_glob_without_a_photo_fails_alone(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    inputs = [tmp_path / "empty", photos / "a.png", str(photos / "*.gif")]
    paths, failed = expand_inputs(inputs)
    assert names(paths) == ["a.png"]
    assert ["no photo there" in result.facts for result in failed] == [True, True]
    results = predict_files(model, inputs, tmp_path / "out")
    assert [(result.path.name, result.error is None) for result in results] == [
        ("empty", False), ("*.gif", False), ("a.png", True),
    ]  # fmt: skip
    with pytest.raises(InputError, match="no input"):
        expand_inputs([])


def test_results_come_in_order_with_their_facts(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    seen: list[FileResult] = []
    results = predict_files(model, [photos], tmp_path / "out", ("npy",), focal_px=51.88579, on_result=seen.append)
    assert results == seen
    assert [result.path.name for result in results] == ["a.png", "b.jpg", "c.webp"]
    assert [round(result.depth_range[1], 1) for result in results] == [1.0, 3.0, 5.0]
    assert names([path for result in results for path in result.written]) == [
        "a_depth.npy", "b_depth.npy", "c_depth.npy",
    ]  # fmt: skip
    assert results[0].size == (48, 64)
    assert results[0].seconds > 0
    assert "64 x 48, 1.00 to 1.00 m" in results[0].facts
    assert "focal length 51.9 px from --focal-px" in results[0].facts
    np.testing.assert_allclose(np.load(tmp_path / "out" / "b_depth.npy"), 1 + 4 * 128 / 255, rtol=1e-2)


def test_results_lie_beside_their_photos_by_default(model: DepthModel, photos: Path) -> None:
    predict_files(model, [photos / "a.png"])
    assert (photos / "a_depth.png").exists()
    assert (photos / "a_depth_colour.png").exists()


@pytest.mark.parametrize("bad", ["a.png", "b.jpg", "c.webp"])
def test_one_bad_file_is_reported_and_the_others_go_on(
    model: DepthModel, photos: Path, tmp_path: Path, bad: str
) -> None:
    blob = (photos / bad).read_bytes()
    (photos / bad).write_bytes(blob[: len(blob) // 2])
    results = predict_files(model, [photos, photos / "missing.jpg"], tmp_path / "out")
    failed = [result.path.name for result in results if result.error is not None]
    assert failed == [bad, "missing.jpg"]
    assert bad in results[[result.path.name for result in results].index(bad)].facts
    assert len(list((tmp_path / "out").iterdir())) == 4, "two results of each of the two good photos, and no parts"


def test_two_inputs_of_one_stem_are_refused_before_any_work(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(photos / "a.bmp")
    with pytest.raises(InputError, match=r"a\.bmp and .*a\.png: both write a_depth\.png"):
        predict_files(model, [photos], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "other").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "other" / "b.jpg")
    with pytest.raises(InputError, match="both write"):
        predict_files(model, [photos / "b.jpg", tmp_path / "other"], tmp_path / "out")
    assert len(predict_files(model, [photos / "b.jpg", tmp_path / "other"])) == 2, "beside each photo they do not meet"


def test_existing_results_are_refused_before_any_work(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "c_depth.png").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"c_depth\.png: exists already; pass --overwrite"):
        predict_many(model, expand_inputs([photos])[0], out)
    assert names(list(out.iterdir())) == ["c_depth.png"]
    assert (out / "c_depth.png").read_bytes() == b"precious"
    assert all(result.error is None for result in predict_files(model, [photos], out, overwrite=True))
    assert (out / "c_depth.png").read_bytes() != b"precious"


def test_a_result_never_replaces_a_photo(model: DepthModel, photos: Path) -> None:
    Image.new("RGB", (4, 4)).save(photos / "a_depth.png")
    with pytest.raises(InputError, match="would replace another input"):
        predict_files(model, [photos / "a.png", photos / "a_depth.png"], overwrite=True)


def test_bad_options_are_refused_before_any_work(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    paths, _ = expand_inputs([photos])
    with pytest.raises(InputError, match="is a file"):
        predict_many(model, paths, photos / "a.png")
    with pytest.raises(InputError, match="--save tiff"):
        predict_many(model, paths, tmp_path / "out", ("tiff",))
    with pytest.raises(InputError, match="--fov-deg"):
        predict_many(model, paths, tmp_path / "out", fov_deg=0.0)


def test_a_refused_write_is_the_files_error(model: DepthModel, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object) -> None:
        raise InputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr("depthnet.predictor.prediction.write_depth_png", full)
    results = predict_files(model, [photos], formats=("png",))
    assert ["No space left" in str(result.error) for result in results] == [True] * 3


def test_stopping_early_leaves_whole_files(model: DepthModel, photos: Path, tmp_path: Path) -> None:
    stream = predict_many(model, expand_inputs([photos])[0], tmp_path / "out", ("npy",))
    assert next(stream).error is None
    stream.close()  # type: ignore[attr-defined]
    for path in (tmp_path / "out").iterdir():
        assert np.load(path).shape == (48, 64)
