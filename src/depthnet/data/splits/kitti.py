"""Which frames of KITTI raw belong to which split: Eigen's, Zhou's, and the frames with official annotated depth.

- ``eigen-train``, ``eigen-val``, ``eigen-test``: 22 600, 888 and 697 frames (Eigen et al. 2014; the lists as monodepth
  publishes them, left colour camera).
- ``eigen-benchmark``: the 652 of those test frames that have official annotated depth ("improved" ground truth).
- ``zhou-train``, ``zhou-val``: 19 956 and 2 161 frames; frames without motion are left out (Zhou et al. 2017).
- ``train``, ``val``, ``test``: Eigen's. With annotated depth ``test`` is ``eigen-benchmark``: the other 45 frames have
  none.

`kitti_raw.json.gz` holds the names of six splits and, for each drive, a character a frame: the character's code less 48
has bit i set when the frame is in split i.
"""

from __future__ import annotations

from functools import cache

from depthnet.data.splits import read_split_file
from depthnet.errors import ConfigError

_SHORT = {"train": "eigen-train", "val": "eigen-val", "test": "eigen-test"}
KITTI_SPLITS = ("train", "val", "test", "eigen-train", "eigen-val", "eigen-test", "eigen-benchmark", "zhou-train",
                "zhou-val")  # fmt: skip


@cache
def kitti_frames(split: str) -> dict[str, tuple[int, ...]]:
    """Frames of a split.

    Args:
        split: one of `KITTI_SPLITS`.

    Returns:
        Drive, for example ``2011_09_26_drive_0002`` -> its frame numbers, ascending; drives sorted by name.

    Raises:
        ConfigError: for another name.
    """
    if split not in KITTI_SPLITS:
        raise ConfigError(f"split '{split}': KITTI raw has {', '.join(KITTI_SPLITS)}; choose one of these.")
    content = read_split_file("kitti_raw")
    bit = 1 << content["splits"].index(_SHORT.get(split, split))
    drives = {drive: tuple(frame for frame, mark in enumerate(marks) if ord(mark) - 48 & bit)
              for drive, marks in content["drives"].items()}  # fmt: skip
    return {drive: frames for drive, frames in drives.items() if frames}
