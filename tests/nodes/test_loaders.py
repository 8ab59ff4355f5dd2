"""What every loader does: shows the engine, refuses damaged and dangerous files with a way out."""

import json
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

import factories
from headless import standalone

FOLDERS = {
    "LikenessLoadFaceDetector": "face_detection",
    "LikenessLoadFaceEmbedder": "face_embedding",
    "LikenessLoadFaceParser": "face_parsing",
}
SHIPPED = {
    "LikenessLoadFaceDetector": "yunet/2023mar",
    "LikenessLoadFaceEmbedder": "dlib_resnet/v1",
    "LikenessLoadFaceParser": "mesh_regions/attention",
}
LOADERS = list(FOLDERS)
MANIFESTS = Path(__file__).parents[2] / "models_manifest"


class Code:
    def __reduce__(self):
        return os.system, ("exit 1",)


def cut(path):
    path.write_bytes(path.read_bytes()[:900])


def load(nodes, base, loader, name, write, engine="auto"):
    """Load what ``write`` puts where the loader looks."""
    standalone.start(base)
    path = base / "models" / FOLDERS[loader] / name
    path.parent.mkdir(parents=True)
    write(path)
    assert name in nodes[loader].GET_SCHEMA().inputs[0].options["options"]
    return nodes[loader].execute(name, engine)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_loader_offers_no_system_without_a_module(nodes, loader):
    systems = {choice.split("/")[0] for choice in nodes[loader].GET_SCHEMA().inputs[0].options["options"]}
    assert systems
    for system in systems:
        assert json.loads((MANIFESTS / f"{system}.json").read_text(encoding="utf-8"))["module"]


@pytest.mark.parametrize("loader", LOADERS)
def test_a_loader_shows_what_its_network_runs_on(base, loader, caplog):
    caplog.set_level("INFO")
    model = {"class_type": loader, "inputs": {"model": SHIPPED[loader], "engine": "onnxruntime"}}
    show = {"class_type": "PreviewAny", "inputs": {"source": ["7", 0]}}
    standalone.start(base).run({"7": model, "8": show})
    assert "7: onnxruntime, CPUExecutionProvider" in caplog.text


@pytest.mark.parametrize("loader", LOADERS)
def test_a_pickle_with_code_is_refused_and_not_run(nodes, base, loader):
    with pytest.raises(ValueError, match=r"a pickle that would run code: get a \.safetensors file for .*x\.pth"):
        load(nodes, base, loader, "x.pth", lambda path: torch.save({"a": Code()}, path))


@pytest.mark.parametrize("name", ["x.safetensors", "x.pth", "x.ckpt"])
def test_a_truncated_file_is_to_be_got_again(nodes, base, name):
    def write(path):
        save = safetensors.torch.save_file if name.endswith("s") else torch.save
        save({"a": torch.zeros(1000)}, path)
        cut(path)

    with pytest.raises(ValueError, match=r"Expected a file of tensors, got a damaged one \(.*get it again for .*x\."):
        load(nodes, base, LOADERS[0], name, write)


def test_an_empty_file_is_to_be_got_again(nodes, base):
    with pytest.raises(ValueError, match=r"a damaged one \(empty\): get it again"):
        load(nodes, base, LOADERS[0], "x.pth", lambda path: path.write_bytes(b""))


def test_onnxruntime_is_for_onnx_files(nodes, base):
    with pytest.raises(
        ValueError, match=r"an \.onnx file for the engine onnxruntime, got .*x\.pth: set engine to auto"
    ):
        load(nodes, base, LOADERS[0], "x.pth", lambda path: torch.save({}, path), "onnxruntime")


def test_where_no_server_runs_nothing_is_shown(pack, nodes, base, monkeypatch):
    monkeypatch.delattr(pack.nodes.host.PromptServer, "instance")
    (detector,) = nodes[LOADERS[0]].execute("yunet/2023mar").args
    assert detector.engine == "onnxruntime, CPUExecutionProvider"


def test_a_truncated_graph_is_to_be_got_again(nodes, base):
    whole = (factories.STARTER / "weights/face_detection_yunet_2023mar.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"x\.onnx: Expected \d+ more bytes of an ONNX model: get the file again"):
        load(nodes, base, LOADERS[0], "x.onnx", lambda path: path.write_bytes(whole[:9000]))


def test_a_graph_of_another_task_says_what_it_gives(nodes, base):
    whole = (factories.STARTER / "weights/dlib_face_resnet_v1_fp16w.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"Not a graph of yunet.*: its outputs are embedding"):
        load(nodes, base, LOADERS[0], "x.onnx", lambda path: path.write_bytes(whole))


def test_a_graph_runs_on_torch_under_the_hosts_memory_manager(nodes, base):
    whole = (factories.STARTER / "weights/face_detection_yunet_2023mar.onnx").read_bytes()
    (detector,) = load(nodes, base, LOADERS[0], "x.onnx", lambda path: path.write_bytes(whole), "torch").args
    assert detector.engine == "torch, cpu"
    assert sum(weight.numel() for weight in detector.patcher.model.parameters()) > 50_000
    faces, _, count = nodes["LikenessDetectFaces"].execute(detector, factories.read_photo("astronaut"), 0.7).args
    assert (count, len(faces)) == (1, 1)
