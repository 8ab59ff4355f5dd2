"""Meshes as .glb files."""

import json
import struct

import pytest
import torch

from likeness.glb import encode_glb

SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]])
TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def parts(data: bytes) -> tuple[dict, bytes]:
    """The JSON and the binary chunk, with lengths as the header says."""
    magic, version, total, length, kind = struct.unpack("<4sII I4s", data[:20])
    assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
    size, kind = struct.unpack("<I4s", data[20 + length : 28 + length])
    assert (size, kind) == (len(data) - 28 - length, b"BIN\0")
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def test_vertices_and_triangles_come_back():
    content, blob = parts(encode_glb(SQUARE, TRIANGLES))
    primitive = content["meshes"][0]["primitives"][0]
    position, index = (content["accessors"][n] for n in (primitive["attributes"]["POSITION"], primitive["indices"]))
    views = [content["bufferViews"][accessor["bufferView"]] for accessor in (position, index)]
    raw = [blob[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] for view in views]
    assert torch.frombuffer(bytearray(raw[0]), dtype=torch.float32).reshape(-1, 3).tolist() == SQUARE.tolist()
    assert torch.frombuffer(bytearray(raw[1]), dtype=torch.int32).reshape(-1, 3).tolist() == TRIANGLES.tolist()
    assert (position["min"], position["max"]) == ([0, 0, 0], [1, 1, 0.5])


def test_every_part_starts_on_a_multiple_of_four():
    content, _ = parts(encode_glb(SQUARE, TRIANGLES, uv=SQUARE[:, :2], colors=SQUARE, texture=torch.rand(3, 5, 3)))
    assert all(view["byteOffset"] % 4 == 0 for view in content["bufferViews"])
    assert content["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"triangles": TRIANGLES[:0]}, "Expected triangles among 4 vertices, got 0"),
        ({"triangles": TRIANGLES + 1}, "Expected triangles among 4 vertices"),
        ({"texture": torch.rand(3, 5, 3)}, "Expected uv for the texture, got none"),
    ],
)
def test_what_is_no_mesh_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        encode_glb(**{"vertices": SQUARE, "triangles": TRIANGLES, **given})
