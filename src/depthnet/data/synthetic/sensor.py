"""From light to the 8-bit picture of a camera: exposure, white balance, lens, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Exposure:
    """How one picture is taken."""

    gain: float
    """Factor from light to a white of 1."""
    white_balance: tuple[float, float, float]
    """Factors of red, green and blue."""
    contrast: float
    """Exponent of the S curve around middle grey; 1 is none."""
    vignette: float
    """Share of light that is lost in the corners."""
    blur_px: float
    """Standard deviation of the lens's blur, pixels of this picture."""
    noise: float
    """Standard deviation of the noise at white, share of white; it falls with the root of the light."""
    saturation: float = 1.0
    """1 keeps the colours, 0 is grey."""


def meter(light: Floats32, rng: np.random.Generator, noise: float = 0.02, blur_px: float = 0.6) -> Exposure:
    """Choose an exposure as a camera does, with its errors.

    Args:
        light: linear RGB, (H, W, 3).
        rng: random numbers.
        noise: of `Exposure`, the middle of what is drawn; 0 switches noise off.
        blur_px: likewise; 0 switches the blur off.
    """
    grey = light.mean(axis=2)
    level = 0.5 * float(grey.mean()) + 0.5 * float(np.median(grey))
    wanted = float(np.exp(rng.normal(np.log(0.21), 0.4)))
    # Automatic white balance takes most of the colour of the light away, not all.
    tint = light.reshape(-1, 3).mean(axis=0) / max(float(light.mean()), 1e-9)
    balance = tint ** -rng.uniform(0.2, 0.8) * np.exp(rng.normal((0.04, 0.0, -0.06), (0.07, 0.02, 0.09)))
    return Exposure(
        gain=wanted / max(level, 1e-9),
        white_balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        contrast=float(rng.uniform(0.95, 1.5)),
        vignette=float(rng.uniform(0.0, 0.35)),
        blur_px=float(blur_px * rng.uniform(0.5, 1.5)),
        noise=float(noise * np.exp(rng.normal(0, 0.4))),
        saturation=float(rng.uniform(0.75, 1.2)),
    )


def develop(light: Floats32, exposure: Exposure, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn light into an sRGB picture.

    Args:
        light: linear RGB, (H, W, 3).
        exposure: how it is taken.
        rng: random numbers for the noise.

    Returns:
        8-bit RGB, (H, W, 3).
    """
    values = light * (np.float32(exposure.gain) * np.array(exposure.white_balance, np.float32))
    if exposure.saturation != 1.0:
        grey = values.mean(axis=2, keepdims=True)
        values = np.maximum(grey + np.float32(exposure.saturation) * (values - grey), 0.0)
    if exposure.vignette > 0:
        values = values * _vignette(light.shape[0], light.shape[1], exposure.vignette)[..., None]
    if exposure.blur_px > 0:
        values = _blur(values, exposure.blur_px)
    if exposure.noise > 0:
        values = values + _noise(values, exposure.noise, rng)
    values = np.clip(values, 0.0, 1.0)
    # The sRGB curve as a power; then contrast around middle grey.
    shown = values ** np.float32(1.0 / 2.2)
    if exposure.contrast != 1.0:
        shown = _s_curve(shown, exposure.contrast)
    pixels: NDArray[np.uint8] = np.rint(shown * np.float32(255.0)).astype(np.uint8)
    return pixels


def _vignette(height: int, width: int, loss: float) -> Floats32:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    return np.float32(1.0) - np.float32(loss / 2.0) * (x * x + y * y)


def _blur(values: Floats32, sigma: float) -> Floats32:
    """Gauss of five taps along rows and columns; borders repeat."""
    taps = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        pads = [(2, 2) if one == axis else (0, 0) for one in range(3)]
        padded = np.pad(values, pads, mode="edge")
        count = values.shape[axis]
        values = sum(
            (taps[k] * padded.take(range(k, k + count), axis=axis) for k in range(1, 5)),
            taps[0] * padded.take(range(count), axis=axis),
        )
    return values


def _noise(values: Floats32, strength: float, rng: np.random.Generator) -> Floats32:
    """Noise of the light (grows with its root) and of the electronics; a part is common to the three colours, and a
    part spreads over neighbours as it does after the interpolation of colours."""
    height, width, _ = values.shape
    grains = rng.standard_normal((height, width, 3), np.float32)
    grains[:, 1:] = np.float32(0.8) * grains[:, 1:] + np.float32(0.45) * grains[:, :-1]
    grains = np.float32(0.7) * grains + np.float32(0.6) * grains.mean(axis=2, keepdims=True)
    spread = np.float32(strength) * np.sqrt(np.maximum(values, 0.0) + np.float32(0.01))
    noise: Floats32 = spread * grains
    return noise


def _s_curve(shown: Floats32, contrast: float) -> Floats32:
    """A smooth curve through 0, 1/2 and 1 with slope ``contrast`` in the middle (below 1: flatter)."""
    mix = np.float32((contrast - 1.0) * 2.0)
    smooth = shown * shown * (np.float32(3.0) - np.float32(2.0) * shown)
    return np.clip(shown + mix * (smooth - shown), 0.0, 1.0)
