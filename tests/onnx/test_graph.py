"""Reading .onnx files, and opening their fixed sizes."""

import numpy as np
import pytest
import torch

import factories
from likeness.onnx import Model, read
from likeness.onnx.proto import parse

onnx = pytest.importorskip("onnx", reason="pip install onnx: it makes the graphs")
YUNET = factories.STARTER / "weights/face_detection_yunet_2023mar.onnx"
GRAPHS = sorted((factories.STARTER / "weights").glob("*.onnx"))


def holding(tensor: "onnx.TensorProto") -> bytes:
    """A model with one weight."""
    made = onnx.helper.make_empty_tensor_value_info("y")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["w"], ["y"])], "g", [], [made], [tensor])
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_a_graph_is_read_as_the_onnx_package_reads_it(path):
    theirs, ours = onnx.load(path).graph, read(path)
    assert [(node.op_type, list(node.input), list(node.output)) for node in theirs.node] == [
        (node.op, list(node.inputs), list(node.outputs)) for node in ours.proto.nodes
    ]
    attributes = [{a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for node in theirs.node]
    text = [{k: v.decode() if isinstance(v, bytes) else v for k, v in found.items()} for found in attributes]
    assert text == [node.attributes for node in ours.proto.nodes]
    assert ours.outputs == tuple(output.name for output in theirs.output)
    for weight in theirs.initializer:
        assert ours.shapes[weight.name] == tuple(weight.dims)
        np.testing.assert_array_equal(
            ours.proto.initializers[weight.name].tensor().numpy(), onnx.numpy_helper.to_array(weight)
        )


def test_names_and_shapes_tell_what_a_file_is():
    graph = read(YUNET)
    assert {"input", "cls_8", "kps_32"} <= graph.names
    assert graph.shapes["input"] == (1, 3, 640, 640)
    assert graph.open("input").shapes["input"] == (None, 3, None, None)


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("FLOAT", [0.5, -2.0]), ("DOUBLE", [0.5, -2.0]), ("FLOAT16", [0.5, -2.0]), ("BFLOAT16", [0.5, -2.0]),
        ("INT64", [-(2**40), 3]), ("INT32", [-5, 3]), ("INT16", [-5, 3]), ("INT8", [-5, 3]), ("UINT8", [200, 3]),
        ("UINT16", [60000, 3]), ("UINT32", [4, 3]), ("UINT64", [4, 3]), ("BOOL", [True, False]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
def test_numbers_of_every_kind_are_read_however_they_are_stored(kind, numbers, raw):
    element = getattr(onnx.TensorProto, kind)
    values = numbers
    if raw:
        values = onnx.numpy_helper.to_array(onnx.helper.make_tensor("w", element, [2], numbers)).tobytes()
    tensor = parse(holding(onnx.helper.make_tensor("w", element, [2], values, raw=raw))).initializers["w"].tensor()
    assert tensor.tolist() == numbers


def test_no_numbers_and_one_number_are_read():
    none, one = (onnx.numpy_helper.from_array(np.ones(shape, np.float32), "w") for shape in ((0, 3), ()))
    assert parse(holding(none)).initializers["w"].tensor().shape == (0, 3)
    assert parse(holding(one)).initializers["w"].tensor().item() == 1


def test_weights_in_another_file_are_refused():
    tensor = onnx.numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    with pytest.raises(ValueError, match=r"one \.onnx file, got one that keeps w in another: merge them"):
        parse(holding(tensor)).initializers["w"].tensor()


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_to_be_got_again(tmp_path, share):
    whole = YUNET.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"cut\.onnx: Expected .*get (it|the file) again"):
        read(tmp_path / "cut.onnx")


def test_other_bytes_are_no_graph():
    noise = np.random.RandomState(0)
    other = [
        b"",
        b"<html>not found</html>",
        b"\0" * 500,
        b"PK\3\4" + bytes(99),
        factories.PHOTOS["astronaut"].read_bytes(),
    ]
    for data in [*other, *(noise.bytes(200) for _ in range(300))]:
        with pytest.raises(ValueError, match=r"^Expected .*again\.$"):
            parse(data)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_an_opened_graph_runs_at_other_sizes_and_in_batches(engine):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    model = Model(read(YUNET).open("input"), engine)
    images = factories.read_photo("astronaut").movedim(-1, 1)[:, :, :320, :480].repeat(4, 1, 1, 1) * 255
    images = images + torch.arange(4.0).reshape(4, 1, 1, 1)
    together, alone = model(images), [model(image[None]) for image in images]
    for name, joined in together.items():
        assert joined.shape[1] == 4 * alone[0][name].shape[1]
        torch.testing.assert_close(joined, torch.cat([one[name] for one in alone], 1), atol=1e-4, rtol=1e-4)


def test_an_opened_graph_is_a_sound_file():
    onnx.checker.check_model(onnx.load_from_string(read(YUNET).open("input").data), full_check=True)


def test_only_batches_of_images_are_opened():
    with pytest.raises(ValueError, match="an input among input, got image"):
        read(YUNET).open("image")
    blend = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 146])
    made = onnx.helper.make_empty_tensor_value_info("y")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [blend], [made])
    from likeness.onnx import Graph

    data = onnx.helper.make_model(graph).SerializeToString()
    with pytest.raises(ValueError, match=r"a batch of images to open, got x of shape \(1, 146\)"):
        Graph(data, parse(data)).open("x")
