"""Why a classifier says what it says, and what makes a face a person."""

import pytest
import torch

import factories
import small_classifier
from graphs import Builder
from likeness import embed, onnx
from likeness.audit import overlap
from likeness.audit.classifier import Classifier, parse_labels
from likeness.audit.explanation import GradCam, closeness, cut_for, explain, explained_table, view
from likeness.audit.heat_map import Lime, Occlusion, tone
from likeness.geometry import cut
from likeness.types import Embeddings, Faces
from likeness.weights import build_onnx

SIDE = small_classifier.SIDE
FILE = factories.STARTER / "weights/dlib_face_resnet_v1_fp16w.onnx"
# The astronaut's face: box and five points.
BOX = torch.tensor([[179.0, 63.0, 270.0, 174.0]])
POINTS = torch.tensor([[[203.0, 102.0], [247.0, 102.0], [224.0, 125.0], [207.0, 147.0], [243.0, 147.0]]])


def faces(count: int = 1, size: tuple[int, int] = (512, 512)) -> Faces:
    """So many times the same face, each in its own image."""
    index = torch.arange(count)
    return Faces(
        size,
        max(count, 1),
        torch.zeros(count).long(),
        index,
        BOX.repeat(count, 1),
        torch.ones(count),
        POINTS.repeat(count, 1, 1),
    )


@pytest.fixture
def classifier(tmp_path):
    """Made with an engine and options of one's own."""
    path = small_classifier.write(tmp_path / "small.onnx")

    def make(engine: str = "torch", labels: str = small_classifier.LABELS, **options: str) -> Classifier:
        return Classifier(onnx.Model(onnx.read(path), engine), parse_labels(labels), **options)

    return make


@pytest.fixture(scope="module")
def embedder():
    return build_onnx(onnx.read(FILE), embed.SYSTEMS)


def lit(where: str = "all") -> torch.Tensor:
    """(1, 512, 512, 3) a picture that is bright around the face."""
    picture = torch.full((1, 512, 512, 3), 0.1)
    picture[:, 40:200, 150:300] = 0.9 if where == "all" else 0.1
    return picture


@pytest.mark.parametrize(
    "how", [Occlusion(4 / SIDE, 0.5, "black"), GradCam("rectified")], ids=["occlusion", "grad_cam"]
)
def test_the_known_region_is_found(classifier, how):
    """Grad-CAM sees the layer before the region is cut out: it finds what is bright, which is everything here."""
    network = classifier()
    alignment = cut_for(network, faces())
    (found,) = explain(network, lit(), alignment, how)
    assert (found.answer, found.heat.shape) == ("bright", (SIDE, SIDE))
    assert found.score > 0.9
    region = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    region[small_classifier.TOP : small_classifier.BOTTOM, small_classifier.LEFT : small_classifier.RIGHT] = True
    if isinstance(how, Occlusion):
        assert overlap.overlap(overlap.threshold(tone(found.heat))[0], region).iou >= 0.9
    else:
        assert found.layer == "rectified"


def test_grad_cam_of_the_last_map_finds_the_region(classifier):
    network = classifier()
    (found,) = explain(network, lit(), cut_for(network, faces()), GradCam(""))
    assert found.layer == "looked_at"
    inside = found.heat[small_classifier.TOP : small_classifier.BOTTOM, small_classifier.LEFT : small_classifier.RIGHT]
    assert inside.min() > 0
    assert found.heat.sum() == pytest.approx(float(inside.sum()))


def test_a_layer_that_a_graph_lacks_is_answered_with_some_it_has(classifier):
    network = classifier()
    with pytest.raises(ValueError, match=r"such as features, rectified, looked_at, got layer4"):
        list(explain(network, lit(), cut_for(network, faces()), GradCam("layer4")))


def test_onnxruntime_has_no_gradients(classifier):
    pytest.importorskip("onnxruntime")
    network = classifier("onnxruntime")
    with pytest.raises(ValueError, match=r"with gradients, got onnxruntime: set engine to torch"):
        list(explain(network, lit(), cut_for(network, faces()), GradCam()))


def test_another_label_is_explained_by_what_speaks_for_it(classifier):
    network = classifier()
    how, alignment = Occlusion(4 / SIDE, 1.0, "black"), cut_for(network, faces())
    (bright,) = explain(network, lit(), alignment, how, "Bright")
    (dark,) = explain(network, lit(), alignment, how, " dark ")
    assert dark.score == pytest.approx(1 - bright.score, abs=1e-6)
    torch.testing.assert_close(dark.heat, -bright.heat, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="a label among bright, dark, got happy"):
        list(explain(network, lit(), alignment, how, "happy"))


def test_labels_that_are_not_the_graphs_are_refused(classifier):
    with pytest.raises(ValueError, match=r"as many labels as the graph gives numbers .* \(2\), got 3 \(a, b, c\)"):
        classifier(labels="a, b, c")
    with pytest.raises(ValueError, match=r"\(2\), got none"):
        classifier(labels=" ")
    with pytest.raises(ValueError, match="each label once, got a twice"):
        classifier(labels="a\nA")


def test_one_class_only_needs_scores(tmp_path):
    model = onnx.Model(onnx.read(small_classifier.write(tmp_path / "one.onnx", classes=1)), "torch")
    with pytest.raises(ValueError, match=r"two labels or more for logits, got one.* set output to scores"):
        Classifier(model, ["smiles"])
    network = Classifier(model, ["smiles"], output="scores")
    assert network.classify(torch.ones(2, SIDE, SIDE, 3)).shape == (2, 1)
    (found,) = explain(network, lit(), cut_for(network, faces()), Occlusion(0.5, 1.0, "black"))
    assert found.answer == "smiles"


def test_a_graph_that_takes_no_pictures_is_refused(tmp_path):
    made, path = Builder(), tmp_path / "numbers.onnx"
    made.node("Relu", "input.1", to="same")
    path.write_bytes(made.model(["B", 5], {"same": ["B", 5]}))
    with pytest.raises(ValueError, match=r"one input, a batch of pictures, got input\.1 .*it is no face classifier"):
        Classifier(onnx.Model(onnx.read(path)), ["a"])


def test_channels_may_come_last(classifier, tmp_path):
    model = onnx.Model(onnx.read(small_classifier.write(tmp_path / "last.onnx", last=True)), "torch")
    pictures = factories.noise(torch.Size([3, SIDE, SIDE, 3]))
    last = Classifier(model, ["bright", "dark"])
    torch.testing.assert_close(last.classify(pictures), classifier().classify(pictures))
    assert last.classify(pictures).sum(1).tolist() == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("pixels", ["0 to 1", "-1 to 1", "0 to 255", "ImageNet"])
def test_pixels_come_in_the_range_and_order_that_was_asked_for(classifier, pixels):
    seen = []
    network = classifier(pixels=pixels, order="BGR", output="scores")
    network.model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.classify(torch.tensor([1.0, 0.5, 0.0]).expand(1, 2 * SIDE, 2 * SIDE, 3))
    expected = {
        "0 to 1": [0, 0.5, 1],
        "-1 to 1": [-1, 0, 1],
        "0 to 255": [0, 127.5, 255],
        "ImageNet": [-0.406 / 0.225, (0.5 - 0.456) / 0.224, (1 - 0.485) / 0.229],
    }[pixels]
    assert seen[0].shape == (1, 3, SIDE, SIDE)
    assert seen[0][0, :, 9, 9].tolist() == pytest.approx(expected, abs=1e-4)


def test_a_person_hangs_on_the_face_and_not_on_what_is_around_it(embedder):
    image = factories.read_photo("astronaut")
    alignment = cut_for(embedder, faces())
    seen = []
    (found,) = explain(embedder, image, alignment, Occlusion(0.25, 1.0), tick=seen.append)
    assert sum(seen) == Occlusion(0.25, 1.0).count(alignment.size) == 17
    assert (found.answer, found.score) == ("itself", pytest.approx(0, abs=1e-4))
    middle = found.heat[64:192, 64:192]
    assert middle.mean() > 5 * (found.heat.sum() - middle.sum()) / (256**2 - 128**2)


def test_a_reference_is_who_the_face_is_compared_to(embedder):
    image, how = factories.read_photo("astronaut"), Lime(4, 10, segments="grid")
    alignment = cut_for(embedder, faces())
    own = embedder.embed(image, faces())
    (found,) = explain(embedder, image, alignment, how, reference=own)
    assert found.answer == "the reference"
    assert -0.3 < found.score < 0  # a distance with a minus; the picture is cut twice
    stranger = Embeddings(None, own.space, torch.zeros(1, 128), "l2")
    assert closeness(own, stranger)[0] < -1
    cosine = Embeddings(None, "arcface-1", torch.eye(3)[:2], "cosine")
    assert closeness(cosine, Embeddings(None, "arcface-1", torch.eye(3)[1:], "cosine")).tolist() == [0, 1]
    elsewhere = Embeddings(None, "arcface-1", torch.zeros(1, 128), "l2")
    with pytest.raises(ValueError, match="two embeddings of one space"):
        list(explain(embedder, image, alignment, how, reference=elsewhere))


def test_what_does_not_fit_is_refused(embedder, classifier):
    image, network = lit(), classifier()
    with pytest.raises(ValueError, match="occlusion or lime for an embedder"):
        list(explain(embedder, image, cut_for(embedder, faces()), GradCam()))
    with pytest.raises(ValueError, match="no label for an embedder, which has none, got happy"):
        explain(embedder, image, cut_for(embedder, faces()), Occlusion(), "happy")
    with pytest.raises(ValueError, match="no reference for a classifier"):
        explain(
            network, image, cut_for(network, faces()), Occlusion(), reference=Embeddings(None, "x", torch.zeros(1, 2))
        )
    with pytest.raises(ValueError, match="connect the image that went into the detector"):
        list(explain(network, image[:, :100], cut_for(network, faces()), Occlusion()))


def test_a_box_is_cut_in_the_middle_of_a_square():
    alignment = view(faces(), 100, 1.0)
    image = torch.zeros(1, 512, 512, 3)
    image[:, 63:174, 179:270] = 1
    square = cut(image, torch.zeros(1).long(), alignment.matrix, 100, border=False)[0]
    assert square[:, 50].min() > 0.4
    assert square[50, :8].max() < 0.1
    assert square[50, 12:88].min() > 0.9


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_has_a_row(classifier, count):
    network = classifier()
    image = lit().repeat(max(count, 1), 1, 1, 1)
    found = list(explain(network, image, cut_for(network, faces(count)), Occlusion(0.5, 1.0)))
    table = explained_table(faces(count), found)
    assert len(found) == len(table) == count
    assert table.names == ("image", "face", "answer", "score", "layer")
