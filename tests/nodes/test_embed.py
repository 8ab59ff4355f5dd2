"""Load Face Embedder, Embed Faces and Compare Faces."""

import pytest
import torch

import factories
import graphs
from headless import standalone


@pytest.fixture
def identify(nodes, base):
    """The identities in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args

    def run(image):
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
        return nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]

    return run


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_every_face_of_every_frame_has_an_identity(identify, count, frames):
    found = identify(factories.people(count).repeat(frames, 1, 1, 1))
    assert found.embedding.shape == (count * frames, 128)
    assert found.faces.image_count == frames


def test_the_closest_pair_decides_and_the_tables_hold_all(nodes, identify):
    both, photo = identify(factories.people(2)), identify(factories.read_photo("grace_hopper"))
    similarity, distance, same, table, distances = nodes["LikenessCompareFaces"].execute(both, photo).args
    rows = [float(row) for row in distances.splitlines()]
    assert same
    assert distance == pytest.approx(min(rows), abs=1e-6)
    assert min(rows) < 0.6 < max(rows)
    assert similarity == pytest.approx(max(map(float, table.splitlines())), abs=1e-6)


def test_strangers_are_not_one_person(nodes, identify):
    a, b = (identify(factories.read_photo(name)) for name in factories.PHOTOS)
    similarity, distance, same, _, _ = nodes["LikenessCompareFaces"].execute(a, b).args
    assert not same
    assert distance > 0.6
    assert similarity > 0.8  # dlib's cosines are high between strangers too


def test_identities_of_two_models_are_not_compared(pack, nodes, identify):
    other = pack.likeness.types.Embeddings(None, "arcface-1", torch.ones(1, 128))
    with pytest.raises(ValueError, match=r"one space, got dlib_resnet.* and arcface-1: use one model"):
        nodes["LikenessCompareFaces"].execute(identify(factories.people(1)), other)


def test_faces_without_points_cannot_be_embedded(nodes, base):
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    box = {"x": 10, "y": 10, "width": 50, "height": 50}
    with pytest.raises(ValueError, match="five points, got boxes only"):
        nodes["LikenessEmbedFaces"].execute(embedder, torch.zeros(1, 64, 64, 3), [[box]])


def test_where_no_threshold_is_published_the_user_gives_one(pack, nodes):
    def who(*vector: float):
        return pack.likeness.types.Embeddings(None, "arcface-1", torch.tensor([vector]).float())

    compare = nodes["LikenessCompareFaces"].execute
    with pytest.raises(ValueError, match=r"published threshold, got arcface-1: set a threshold of your own"):
        compare(who(1, 0), who(1, 1))
    for threshold, same in ((0.7, True), (0.72, False)):
        similarity, _, verdict, *_ = compare(who(1, 0), who(1, 1), threshold).args
        assert similarity == pytest.approx(0.5**0.5)
        assert verdict == same


def test_a_threshold_of_ones_own_takes_the_place_of_the_published_one(nodes, identify):
    a, b = (identify(factories.read_photo(name)) for name in factories.PHOTOS)
    assert nodes["LikenessCompareFaces"].execute(a, b, 0.9).args[2]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_file_of_ones_own_gives_each_face_of_each_frame_an_identity(nodes, base, count, frames):
    folder = base / "models/face_embedding"
    folder.mkdir(parents=True)
    (folder / "mine.onnx").write_bytes(graphs.small_arcface())
    standalone.start(base)
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("mine.onnx").args
    image = factories.people(count).repeat(frames, 1, 1, 1)
    faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
    found = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]
    assert found.embedding.shape == (count * frames, 512)
    assert found.space.startswith("arcface-")


def test_a_graph_of_another_make_is_no_embedder(nodes, base):
    folder = base / "models/face_embedding"
    folder.mkdir(parents=True)
    (folder / "mine.onnx").write_bytes(graphs.scrfd())
    standalone.start(base)
    with pytest.raises(ValueError, match=r"Not a graph of dlib_resnet, arcface: its outputs are"):
        nodes["LikenessLoadFaceEmbedder"].execute("mine.onnx")
