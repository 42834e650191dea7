"""Configurations of backbones with a handful of channels, one of each kind, as transformers writes them."""

from __future__ import annotations

from typing import Any

STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16]}
CONFIGS: dict[str, dict[str, Any]] = {
    "resnet": {"model_type": "resnet", "embedding_size": 8, "layer_type": "basic", **STAGES},
    "convnext": {"model_type": "convnext", **STAGES},
    # Two blocks in a stage: the second one shifts its windows.
    "swin": {
        "model_type": "swin", "embed_dim": 8, "depths": [1, 2, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 3,
        "drop_path_rate": 0.0, "image_size": 64,
    },
    "dinov2": {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2, "image_size": 56,
        "patch_size": 14, "layerscale_value": 0.5,
    },
}  # fmt: skip


def options(kind: str) -> dict[str, Any]:
    """Network options of a small network on a backbone of this kind."""
    return {"config": CONFIGS[kind], "decoder": [16, 16, 8, 8, 8]}
