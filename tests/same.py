"""Whether two hosts gave the same: the measures of "equal on both hosts"."""

import json
import re
import struct
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
COMPONENTS = {5125: np.uint32, 5126: np.float32}


def assert_same_records(ours: list[dict], theirs: list[dict]) -> None:
    """The records of two runs of one workflow, files compared by content."""
    about = [[{key: record[key] for key in ("node", "id", "kind")} for record in records] for records in (ours, theirs)]
    assert about[0] == about[1]
    for mine, other in zip(ours, theirs, strict=True):
        if mine["node"].startswith("Timed"):
            continue  # what a clock says
        {"image": same_image, "video": same_video, "mesh": same_mesh, "file": same_file}.get(mine["kind"], same_value)(
            *(record.get("path", record.get("value")) for record in (mine, other))
        )


def same_value(mine: object, other: object) -> None:
    """Words are equal, numbers to 1e-4."""
    words, numbers = zip(*((NUMBER.sub("#", str(v)), NUMBER.findall(str(v))) for v in (mine, other)), strict=True)
    assert words[0] == words[1]
    assert [float(n) for n in numbers[0]] == pytest.approx([float(n) for n in numbers[1]], abs=1e-4, rel=1e-4)


def same_file(mine: str, other: str) -> None:
    """A report's text or rows: words are equal, numbers to 1e-4; so for tensors and what their file says of them."""
    assert Path(mine).suffix == Path(other).suffix
    if Path(mine).suffix == ".safetensors":
        (a, said_a), (b, said_b) = read_tensors(mine), read_tensors(other)
        assert (a.keys(), said_a) == (b.keys(), said_b)
        for name, array in a.items():
            np.testing.assert_allclose(array, b[name], atol=1e-4, rtol=1e-4, err_msg=name)
        return
    same_value(Path(mine).read_text(encoding="utf-8"), Path(other).read_text(encoding="utf-8"))


def read_tensors(path: str) -> tuple[dict[str, np.ndarray], dict[str, str] | None]:
    """Arrays by name, and the words beside them."""
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118 - no mapping


def same_image(mine: str | BytesIO, other: str | BytesIO) -> None:
    """To 1/255."""
    a, b = (np.asarray(Image.open(file)).astype(int) for file in (mine, other))
    assert a.shape == b.shape
    assert abs(a - b).max() <= 1


def same_video(mine: str, other: str) -> None:
    """The same number of frames and rate, and over 45 dB."""
    (a, rate_a), (b, rate_b) = read_video(mine), read_video(other)
    assert (a.shape, rate_a) == (b.shape, rate_b)
    assert ((a.astype(float) - b) ** 2).mean() < 255**2 / 10**4.5


def read_video(path: str) -> tuple[np.ndarray, Fraction]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]), stream.average_rate


def same_mesh(mine: str, other: str) -> None:
    """The same arrays, to 1e-5, and texture."""
    (a, texture_a), (b, texture_b) = read_glb(mine), read_glb(other)
    assert a.keys() == b.keys()
    for name, array in a.items():
        np.testing.assert_allclose(array, b[name], atol=1e-5, rtol=0, err_msg=name)
    assert (texture_a is None) == (texture_b is None)
    if texture_a is not None:
        same_image(texture_a, texture_b)


def read_glb(path: str) -> tuple[dict[str, np.ndarray], BytesIO | None]:
    """Arrays by attribute, and the PNG of the texture."""
    data = Path(path).read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    content, blob = json.loads(data[20 : 20 + length]), data[28 + length :]

    def part(view: int) -> bytes:
        start = content["bufferViews"][view].get("byteOffset", 0)
        return blob[start : start + content["bufferViews"][view]["byteLength"]]

    (primitive,) = content["meshes"][0]["primitives"]
    arrays = {}
    for name, index in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = content["accessors"][index]
        arrays[name] = np.frombuffer(part(accessor["bufferView"]), COMPONENTS[accessor["componentType"]])
    look = content["materials"][0]["pbrMetallicRoughness"]
    arrays["base color"] = np.array(look["baseColorFactor"])
    return arrays, BytesIO(part(content["images"][0]["bufferView"])) if content.get("images") else None
