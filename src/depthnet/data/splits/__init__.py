"""Fixed lists of which frame belongs to training, validation or test; they lie beside this file as JSON, the long ones
compressed.

NYU Depth v2, labelled set (1449 frames, zero-based indices), for the `.mat` and for folder trees made from it:

- ``trainval``: the 795 official training frames.
- ``val``: 100 of them, in ten contiguous blocks.
- ``train``: in a folder tree the 635 that are neither in ``val`` nor among the 60 neighbours of its blocks, so that no
  room is on both sides; in the `.mat` the authors' training part, as ``trainval``. `depthnet train` leaves out the
  frames of ``val`` and their neighbours in either case. Choose so, then train the choice on ``trainval``.
- ``test``: the 654 official test frames.
- ``all``: every frame of the file or folder.

NYU Depth v2, `sync` tree of BTS (every 7th synchronised raw frame): `nyu_sync_24k.json.gz` holds the 24 231 training
frames of the literature, one bit a frame. They come from all 284 raw scene folders of the official training split.

Sources: `nyu_labeled.json` is the authors' `splits.mat` counted from 0; `nyu_train_val.json` is this project's;
`nyu_sync_24k.json.gz` is the list of Lee et al., From Big to Small (BTS), 2019, as published with their code.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib import resources
from typing import Any

from depthnet.errors import ConfigError

NYU_SPLITS = ("train", "val", "trainval", "test", "all")
NYU_LABELED_COUNT = 1449


@cache
def read_split_file(name: str) -> dict[str, Any]:
    """Content of ``NAME.json``, or ``NAME.json.gz`` for a long list, of this package."""
    folder = resources.files(__name__)
    plain = folder.joinpath(f"{name}.json")
    text = plain.read_bytes() if plain.is_file() else gzip.decompress(folder.joinpath(f"{name}.json.gz").read_bytes())
    content: dict[str, Any] = json.loads(text)
    return content


@cache
def nyu_labeled_indices(split: str) -> tuple[int, ...]:
    """Zero-based indices of a split of the labelled NYU Depth v2 set, ascending.

    Args:
        split: train, val, trainval, test or all.

    Raises:
        ConfigError: for another name.
    """
    if split not in NYU_SPLITS:
        raise ConfigError(f"split '{split}': NYU Depth v2 has {', '.join(NYU_SPLITS)}; choose one of these.")
    if split == "all":
        return tuple(range(NYU_LABELED_COUNT))
    if split in ("train", "val"):
        return tuple(read_split_file("nyu_train_val")[split])
    return tuple(read_split_file("nyu_labeled")["train" if split == "trainval" else "test"])


@cache
def nyu_sync_frames() -> dict[str, tuple[int, ...]]:
    """The 24 231 training frames of the `sync` tree: scene folder -> frame numbers, both ascending.

    A mask is one bit for each frame number, the highest bit of the first byte for frame 0.
    """
    masks: dict[str, str] = read_split_file("nyu_sync_24k")["train"]
    return {
        scene: tuple(8 * place + bit for place, byte in enumerate(bytes.fromhex(mask)) for bit in range(8)
                     if byte & (0x80 >> bit))
        for scene, mask in masks.items()
    }  # fmt: skip


@cache
def nyu_raw_train_scenes() -> frozenset[str]:
    """Folders of the raw dump that belong to the official training split, 284 names such as ``basement_0001a``."""
    return frozenset(nyu_sync_frames())
