"""Meshes as .glb files."""

import io
import json
import shutil
import struct
import subprocess

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


def whole() -> bytes:
    """A file of all parts; its texture's sides are powers of two."""
    up = torch.tensor([0.0, 0, 1]).expand(4, 3)
    return encode_glb(SQUARE, TRIANGLES, SQUARE[:, :2], normals=up, texture=torch.rand(4, 8, 3))


def test_the_official_validator_has_nothing_to_say(tmp_path):
    (tmp_path / "mesh.glb").write_bytes(whole())
    script = "require('gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[1])))"
    script += ".then(report => console.log(JSON.stringify(report.issues)))"
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    call = ["node", "-e", script, str(tmp_path / "mesh.glb")]
    done = subprocess.run(call, capture_output=True, text=True)
    if "Cannot find module 'gltf-validator'" in done.stderr:
        pytest.skip("gltf-validator is not installed: npm install it, and set NODE_PATH to its node_modules")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["messages"] == []


def test_another_reader_finds_the_same_mesh():
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    (mesh,) = trimesh.load(io.BytesIO(whole()), file_type="glb").geometry.values()
    assert mesh.vertices.tolist() == SQUARE.tolist()
    assert mesh.faces.tolist() == TRIANGLES.tolist()
    assert (1 - mesh.visual.uv[:, 1]).tolist() == SQUARE[:, 1].tolist()  # it turns v upside down
    assert mesh.visual.material.baseColorTexture.size == (8, 4)
