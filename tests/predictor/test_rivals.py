"""``hf:NAME``: tiny saved models give what transformers itself makes of them, without torchvision."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from depthnet.errors import InputError, MissingTierError
from depthnet.predictor import load_model
from depthnet.predictor.rivals import DepthProProcessor, depth_of_output, output_kind

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("one_thread")

PHOTO = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
DINOV2 = {
    "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
}  # fmt: skip
DPT_LIKE = {"size": {"height": 28, "width": 42}, "keep_aspect_ratio": True, "ensure_multiple_of": 14, "resample": 3}


def save_depth_anything(folder: Path, kind: str) -> Any:
    config = transformers.DepthAnythingConfig(
        backbone_config=dict(DINOV2), reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        head_hidden_size=4, patch_size=14, depth_estimation_type=kind, max_depth=10,
    )  # fmt: skip
    return save(folder, transformers.DepthAnythingForDepthEstimation(config), "DPTImageProcessor", DPT_LIKE)


def save_glpn(folder: Path) -> Any:
    config = transformers.GLPNConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8
    )
    return save(folder, transformers.GLPNForDepthEstimation(config), "GLPNImageProcessor", {"size_divisor": 32})


def save_zoedepth(folder: Path) -> Any:
    beit = {
        "model_type": "beit", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 16,
        "intermediate_size": 32, "image_size": 64, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
        "use_relative_position_bias": True, "use_absolute_position_embeddings": False,
    }  # fmt: skip
    config = transformers.ZoeDepthConfig(
        backbone_config=beit, backbone_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        bottleneck_features=8, num_attractors=[4, 2, 2, 1], bin_embedding_dim=8, num_relative_features=4,
    )  # fmt: skip
    settings = {"size": {"height": 64, "width": 64}, "keep_aspect_ratio": True, "ensure_multiple_of": 32}
    return save(folder, transformers.ZoeDepthForDepthEstimation(config), "ZoeDepthImageProcessor", settings)


def save(folder: Path, model: Any, processor: str, settings: dict[str, Any]) -> Any:
    import json

    torch.manual_seed(1)
    for parameter in model.parameters():  # start weights of 0.02 would give a flat map
        torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim > 1 else 0.1)
    model.eval().save_pretrained(folder)
    values = {
        "image_processor_type": processor,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.3, 0.2, 0.25],
        **settings,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    return model


def own_result(folder: Path, model: Any) -> np.ndarray:
    """What the model's own processor and network say, at the network's size."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    with torch.no_grad():
        depth: np.ndarray = model(**processor(images=PHOTO, return_tensors="pt")).predicted_depth[0].numpy()
    return depth


RIVALS: dict[str, tuple[Callable[[Path], Any], str, int]] = {
    "depth-anything-relative": (lambda folder: save_depth_anything(folder, "relative"), "affine_invariant", 0),
    "depth-anything-metric": (lambda folder: save_depth_anything(folder, "metric"), "metric", 0),
    "glpn": (save_glpn, "metric", 0),
    "zoedepth": (save_zoedepth, "metric", 3),
}


@pytest.mark.parametrize("name", RIVALS)
def test_a_saved_model_gives_what_transformers_makes_of_it(name: str, tmp_path: Path) -> None:
    write, kind, padding = RIVALS[name]
    expected = own_result(tmp_path, write(tmp_path))
    model = load_model(f"hf:{tmp_path}", device="cpu")
    assert model.info.kind == kind
    depth = model.depth(PHOTO)
    assert depth.shape == PHOTO.shape[:2]
    assert depth.std() > 1e-3 * abs(depth.mean())
    # ZoeDepth mirrors int(3 sqrt(n / 2)) pixels around the photo: 12 above, 15 at the left.
    top, left = (12, 15) if padding else (0, 0)
    size = (37 + 2 * top, 50 + 2 * left)
    whole = F.interpolate(torch.from_numpy(expected)[None, None], size=size, mode="bicubic", align_corners=False)
    cut = whole[0, 0, top : top + 37, left : left + 50].numpy()
    np.testing.assert_allclose(depth, cut, rtol=1e-4, atol=1e-4 * np.abs(cut).max())
    # The camera rule is for models that know their training camera.
    np.testing.assert_array_equal(model.depth(PHOTO, 30.0), model.depth(PHOTO, 300.0))


def test_predict_takes_metric_models_only(tmp_path: Path) -> None:
    save_depth_anything(tmp_path / "metric", "metric")
    save_depth_anything(tmp_path / "relative", "relative")
    model = load_model(f"hf:{tmp_path / 'metric'}", device="cpu")
    prediction = model.predict(PHOTO)
    assert prediction.focal_source == "assumed view"
    assert prediction.focal_px == pytest.approx(50, rel=0.3)  # 60 degrees
    assert model.predict(PHOTO, focal_px=45.0).focal_source == "--focal-px"
    with pytest.raises(InputError, match="inverse depth up to scale and shift, not metres"):
        load_model(f"hf:{tmp_path / 'relative'}", device="cpu").predict(PHOTO)


def test_depth_pro_by_hand() -> None:
    """A view of 90 degrees has W / f = 2: canonical inverse depth 0.25 is 0.5 / m, 2 m."""
    output = SimpleNamespace(predicted_depth=torch.full((1, 4, 4), 0.25), field_of_view=torch.tensor([90.0]))
    depth = depth_of_output(output, (6, 8), padded=False)
    torch.testing.assert_close(depth, torch.full((1, 1, 6, 8), 2.0))
    output.field_of_view = None
    torch.testing.assert_close(depth_of_output(output, (6, 8), False), torch.full((1, 1, 6, 8), 4.0))
    settings = {"size": {"height": 4, "width": 4}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5]}
    pixels = DepthProProcessor(settings)(images=np.full((2, 2, 3), 255, np.uint8))["pixel_values"]
    assert pixels.shape == (1, 3, 4, 4)
    torch.testing.assert_close(pixels[0, :, 0, 0], torch.tensor([2.0, 1.0, 1.0]))


def test_kinds() -> None:
    assert output_kind(transformers.DPTConfig(), "x") == "affine_invariant"
    assert output_kind(transformers.DPTConfig(add_projection=True), "x") == "metric"
    with pytest.raises(InputError, match="hf:x: whether vit gives metres is not known"):
        output_kind(transformers.ViTConfig(), "x")


def test_one_line_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot read it") as caught:
        load_model(f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="--device tpu"):
        load_model(f"hf:{tmp_path}", device="tpu")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[hf\]"'):
        load_model(f"hf:{tmp_path}")


@pytest.mark.skipif(
    not any(map(find_spec, ("torchvision", "timm"))), reason="not installed: all tests of this file do without them"
)
def test_no_torchvision(tmp_path: Path) -> None:
    save_depth_anything(tmp_path, "metric")
    code = (
        "import sys; sys.modules['torchvision'] = None; import numpy as np; from depthnet.predictor import load_model;"
        "depth = load_model('hf:' + sys.argv[1], device='cpu', threads=1).depth(np.zeros((20, 30, 3), np.uint8));"
        "assert depth.shape == (20, 30); assert 'timm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
