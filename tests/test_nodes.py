"""What every node must satisfy, and what each does on the stand-ins."""

import inspect
import json
from pathlib import Path

import pytest
import torch

SCHEMAS = Path(__file__).with_name("schemas")
DOCS = Path(__file__).parents[1] / "js/docs"


def test_execute_takes_what_the_schema_offers(nodes):
    for node_id, node in nodes.items():
        offered = [socket.id for socket in node.GET_SCHEMA().inputs]
        assert list(inspect.signature(node.execute).parameters) == offered, node_id


def test_every_node_and_socket_explains_itself(nodes):
    for node_id, node in nodes.items():
        schema = node.GET_SCHEMA()
        assert schema.description, node_id
        assert schema.search_aliases, node_id
        assert all(socket.options.get("tooltip") for socket in schema.inputs), node_id
        assert all(socket.tooltip for socket in schema.outputs), node_id


def test_every_node_has_a_help_page_that_names_its_sockets(nodes):
    for node_id, node in nodes.items():
        page = (DOCS / f"{node_id}.md").read_text(encoding="utf-8")
        schema = node.GET_SCHEMA()
        assert page.startswith(f"# {schema.display_name}\n"), node_id
        missing = [socket.id for socket in (*schema.inputs, *schema.outputs) if f"**{socket.id}**" not in page]
        assert not missing, f"{node_id}: {missing}"


def test_every_node_has_its_recorded_schema(nodes):
    """``python -m headless nodes --record tests/schemas`` records them when a node is new or has grown."""
    for node_id, node in nodes.items():
        recorded = json.loads((SCHEMAS / f"{node_id}.json").read_text())
        now = json.loads(json.dumps(node.GET_NODE_INFO_V1()))
        old, new = sockets(recorded), sockets(now)
        assert new["outputs"][: len(old["outputs"])] == old["outputs"], f"{node_id}: outputs are appended only"
        assert new["required"] == old["required"], f"{node_id}: a new input is optional, an old one stays"
        assert new["optional"][: len(old["optional"])] == old["optional"], f"{node_id}: inputs are appended only"
        assert now == recorded, f"{node_id} has grown: record its schema"


def sockets(info: dict) -> dict[str, list]:
    groups = {group: [(n, s[0]) for n, s in info["input"].get(group, {}).items()] for group in ("required", "optional")}
    return {**groups, "outputs": list(zip(info["output"], info["output_name"], strict=True))}


def test_a_node_with_a_broken_schema_is_dropped_and_logged(pack, caplog):
    class Broken(pack.nodes.io.ComfyNode):
        @classmethod
        def define_schema(cls):
            raise KeyError("model")

    assert not pack.nodes.is_sound(Broken)
    assert "Broken is left out" in caplog.text


def test_a_file_that_is_missing_names_the_choices(nodes):
    said = nodes["LikenessLoadFaceEmbedder"].validate_inputs("mine/x.pth")
    assert "one of dlib_resnet/v1, arcface/" in said
    assert " or a file in models/face_embedding, got mine/x.pth" in said


def test_a_chosen_model_has_a_patcher_that_others_can_reach(pack, nodes, base):
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    assert isinstance(embedder.patcher.model, pack.likeness.embed.dlib_resnet.DlibResNet)


def test_a_video_is_embedded_in_chunks_with_the_faces_in_place(nodes, base):
    image = torch.rand(35, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "1 2 50 50").args
    shown = faces.select(torch.tensor([0, 20, 34]))
    with torch.inference_mode():
        (every,) = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args
        (some,) = nodes["LikenessEmbedFaces"].execute(embedder, image, shown).args
    assert some.faces.image_index.tolist() == [0, 20, 34]
    assert some.faces.image_count == 35
    torch.testing.assert_close(some.embedding, every.embedding[[0, 20, 34]], atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="the 35 images of 64 x 64 that the faces were found in, got 34"):
        nodes["LikenessEmbedFaces"].execute(embedder, image[1:], faces)


def test_lines_of_numbers_are_boxes(nodes):
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(torch.zeros(2, 64, 64, 3), "1, 2, 30, 40\n5 6 7 8").args
    assert faces.image_index.tolist() == [0, 0, 1, 1]
    assert faces.bbox[0].tolist() == [1, 2, 31, 42]
    with pytest.raises(ValueError, match="line 2 of boxes, got '5 6 7'"):
        nodes["LikenessFacesFromBoxes"].execute(torch.zeros(1, 64, 64, 3), "1 2 3 4\n5 6 7")


def test_two_empty_sides_cannot_be_compared(pack, nodes):
    nobody = pack.likeness.types.Embeddings(None, "arcface-1", torch.zeros(0, 32))
    with pytest.raises(pack.likeness.types.NoFaceError, match="a face on both sides, got 0 and 0"):
        nodes["LikenessCompareFaces"].execute(nobody, nobody)
