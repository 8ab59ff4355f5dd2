"""Meshes as binary glTF 2.0, which browsers, Blender and game engines open.

Source: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

FLOAT, UINT = 5126, 5125
VERTICES, INDICES = 34962, 34963  # what a part of the file is for
LINEAR, CLAMP = 9729, 33071
BARE = {"metallicFactor": 0.0, "roughnessFactor": 0.5, "baseColorFactor": [0.22, 0.22, 0.22, 1.0]}  # as ComfyUI's
COLORED = {"metallicFactor": 0.0, "roughnessFactor": 1.0, "baseColorFactor": [1.0, 1.0, 1.0, 1.0]}


def encode_glb(
    vertices: Tensor,
    triangles: Tensor,
    uv: Tensor | None = None,
    colors: Tensor | None = None,
    normals: Tensor | None = None,
    texture: Tensor | None = None,
) -> bytes:
    """One mesh as the content of a .glb file, seen from both sides.

    Args:
        vertices: (V, 3) metres; right-handed, y up.
        triangles: (F, 3) vertex numbers, counter-clockwise seen from outside.
        uv: (V, 2) in [0, 1], (0, 0) is the top-left texel corner.
        colors: (V, 3 or 4) linear RGB or RGBA in [0, 1].
        normals: (V, 3) unit; without them viewers shade each triangle flat.
        texture: (H, W, 3) sRGB in [0, 1]; needs uv.

    Raises:
        ValueError: There is no triangle, a triangle names a vertex that is not there, or a texture has no uv.
    """
    if not len(triangles) or int(triangles.min()) < 0 or int(triangles.max()) >= len(vertices):
        raise ValueError(f"Expected triangles among {len(vertices)} vertices, got {len(triangles)} that are not.")
    if texture is not None and uv is None:
        raise ValueError("Expected uv for the texture, got none: give both or neither.")
    file = _File()
    named = {"POSITION": vertices, "TEXCOORD_0": uv, "COLOR_0": colors, "NORMAL": normals}
    attributes = {name: file.add_vectors(tensor) for name, tensor in named.items() if tensor is not None}
    indices = triangles.cpu().numpy().astype(np.uint32)
    primitive = {"attributes": attributes, "indices": file.add_array(indices, UINT, indices.size, "SCALAR", INDICES)}
    look: dict[str, Any] = dict(BARE if colors is None and texture is None else COLORED)
    content: dict[str, Any] = {}
    if texture is not None:
        look["baseColorTexture"] = {"index": 0}
        content["images"] = [{"bufferView": file.add_png(texture), "mimeType": "image/png"}]
        content["samplers"] = [{"magFilter": LINEAR, "minFilter": LINEAR, "wrapS": CLAMP, "wrapT": CLAMP}]
        content["textures"] = [{"source": 0, "sampler": 0}]
    content["materials"] = [{"pbrMetallicRoughness": look, "doubleSided": True}]
    content["meshes"] = [{"primitives": [{**primitive, "material": 0}]}]
    return file.encode({**content, "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}], "scene": 0})


class _File:
    """The binary half of a file, and what describes it."""

    def __init__(self) -> None:
        self.blob = b""
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, data: bytes, **about: int) -> int:
        self.views.append({"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data), **about})
        self.blob += data + bytes(-len(data) % 4)
        return len(self.views) - 1

    def add_array(self, array: np.ndarray, component: int, count: int, shape: str, target: int) -> int:
        view = self.add(array.tobytes(), target=target)
        self.accessors.append({"bufferView": view, "componentType": component, "count": count, "type": shape})
        return len(self.accessors) - 1

    def add_vectors(self, tensor: Tensor) -> int:
        array = tensor.detach().float().cpu().numpy()
        added = self.add_array(array, FLOAT, len(array), f"VEC{array.shape[1]}", VERTICES)
        self.accessors[added] |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        return added

    def add_png(self, image: Tensor) -> int:
        pixels = (image.detach().float().cpu().clamp(0, 1).numpy() * 255).astype(np.uint8)
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        return self.add(png.getvalue())

    def encode(self, content: dict[str, Any]) -> bytes:
        buffers = {"buffers": [{"byteLength": len(self.blob)}], "bufferViews": self.views, "accessors": self.accessors}
        text = json.dumps({"asset": {"version": "2.0"}, **buffers, **content}).encode()
        text += b" " * (-len(text) % 4)
        chunks = [
            struct.pack("<I4s", len(data), kind) + data for kind, data in ((b"JSON", text), (b"BIN\0", self.blob))
        ]
        return struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))) + b"".join(chunks)
