"""GLB files (binary glTF 2.0) of one thing: points or triangles, shown in the photo's own colours.

The material is unlit (KHR_materials_unlit): the light of the scene is in the photo already. Colours of points are
multiplied in linear light by every viewer, so they are stored linear, as floats: written as the photo's bytes they
would look washed out, and 8 bits of linear light show bands in the dark.

Source: Khronos Group, glTF 2.0 Specification, sections 3.7.2 (meshes), 4.4 (GLB) and 5.1 (accessors); linear light:
IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.io.files import atomic_path
from depthnet.io.images import RGB

_POINTS, _TRIANGLES = 0, 4
_FLOAT, _UINT = 5126, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963
_CLAMP = 33071
JPEG_QUALITY = 90


class Glb:
    """Collects the parts of a GLB file with one primitive, and writes it.

    Args:
        points: metres, y up, (N, 3); at least one.
        faces: places of the corners of each triangle, (F, 3), counter-clockwise from the front; None for a cloud.
    """

    def __init__(self, points: NDArray[np.floating[Any]], faces: NDArray[np.integer[Any]] | None = None) -> None:
        self._chunks: list[bytes] = []
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        points = np.asarray(points, np.float32)
        extent = {"min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()}
        self._material: dict[str, Any] = {"extensions": {"KHR_materials_unlit": {}}, "doubleSided": True}
        self._textures: dict[str, Any] = {}
        self._primitive: dict[str, Any] = {
            "mode": _POINTS if faces is None else _TRIANGLES,
            "attributes": {"POSITION": self._add_vectors(points, extent)},
            "material": 0,
        }
        if faces is not None:
            self._primitive["indices"] = self._add_array(faces.astype("<u4").ravel(), _UINT, "SCALAR", _INDEX_BUFFER)

    def add_colours(self, colours: RGB) -> None:
        """Colour each point: 8-bit sRGB, (N, 3)."""
        self._primitive["attributes"]["COLOR_0"] = self._add_vectors(_LINEAR[colours])

    def add_texture(self, uv: NDArray[np.floating[Any]], picture: Image.Image) -> None:
        """Lay a picture over the triangles.

        Args:
            uv: place of each point in the picture, (N, 2): (0, 0) is its top left corner, (1, 1) its bottom right one.
            picture: RGB.
        """
        self._primitive["attributes"]["TEXCOORD_0"] = self._add_vectors(uv)
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=JPEG_QUALITY)
        self._textures = {
            "images": [{"bufferView": self._add_view(content.getvalue()), "mimeType": "image/jpeg"}],
            "samplers": [{"wrapS": _CLAMP, "wrapT": _CLAMP}],
            "textures": [{"source": 0, "sampler": 0}],
        }
        self._material["pbrMetallicRoughness"] = {"baseColorTexture": {"index": 0}, "metallicFactor": 0}

    def write(self, path: str | Path, overwrite: bool = True) -> None:
        """Write the file.

        Raises:
            InputError: if the file is there and ``overwrite`` is False, or cannot be written.
        """
        content = b"".join(self._chunks)
        tree = {
            "asset": {"version": "2.0", "generator": "depthnet"},
            "extensionsUsed": ["KHR_materials_unlit"],
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [self._primitive]}],
            "materials": [self._material],
            **self._textures,
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(content)}],
        }
        text = _padded(json.dumps(tree, separators=(",", ":")).encode(), b" ")
        whole = 12 + 8 + len(text) + 8 + len(content)
        with atomic_path(path, overwrite) as temporary, temporary.open("wb") as file:
            file.write(struct.pack("<4sII", b"glTF", 2, whole))
            file.write(struct.pack("<I4s", len(text), b"JSON") + text)
            file.write(struct.pack("<I4s", len(content), b"BIN\0"))
            file.write(content)

    def _add_vectors(self, vectors: NDArray[np.floating[Any]], extent: dict[str, Any] | None = None) -> int:
        kind = f"VEC{vectors.shape[1]}"
        return self._add_array(vectors.astype("<f4", copy=False), _FLOAT, kind, _VERTEX_BUFFER, extent)

    def _add_array(
        self, array: NDArray[Any], component: int, kind: str, target: int, extent: dict[str, Any] | None = None
    ) -> int:
        view = self._add_view(array.tobytes(), target)
        accessor = {"bufferView": view, "componentType": component, "count": len(array), "type": kind}
        self._accessors.append({**accessor, **(extent or {})})
        return len(self._accessors) - 1

    def _add_view(self, content: bytes, target: int | None = None) -> int:
        start = sum(map(len, self._chunks))
        view = {"buffer": 0, "byteOffset": start, "byteLength": len(content)}
        self._views.append(view if target is None else {**view, "target": target})
        self._chunks.append(_padded(content, b"\0"))
        return len(self._views) - 1


def _padded(content: bytes, filler: bytes) -> bytes:
    """Filled up to a multiple of four bytes."""
    return content + filler * (-len(content) % 4)


def _linear_table() -> NDArray[np.float32]:
    srgb = np.arange(256) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


_LINEAR = _linear_table()
