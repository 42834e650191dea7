"""The raw dump of NYU Depth v2: frames matched by time, both lenses undone, depth seen from the colour camera."""

from depthnet.prepare.nyu_raw.frames import FAULTY_FRAMES, NyuRawOptions, NyuRawSource

__all__ = ["FAULTY_FRAMES", "NyuRawOptions", "NyuRawSource"]
