"""The Recognizability node on nobody, one and two people, in one frame and several."""

import itertools

import pytest
import torch

import factories
from headless import standalone


@pytest.mark.parametrize(("count", "frames"), list(itertools.product((0, 1, 2), (1, 3))))
def test_every_face_has_its_index_and_low_ones_are_left_out(nodes, base, count, frames):
    standalone.start(base)
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    image = factories.people(count)[:, ::2, ::2].repeat(frames, 1, 1, 1)
    faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
    known = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]
    measure = nodes["LikenessRecognizability"].execute
    every, where, table, lowest = measure(embedder, known, 0.0).args
    assert len(every) == len(where) == len(table) == count * frames
    assert lowest > 0.5 if count else lowest != lowest
    none, nowhere, table, _ = measure(embedder, known, 9.0).args
    assert len(none) == len(nowhere) == 0
    assert table["kept"].tolist() == [False] * count * frames
    moved = measure(embedder, known, 0.0, 1.0).args[0]
    assert (moved.metric, moved.threshold, len(moved)) == ("cosine", None, count * frames)


def test_another_encoders_faces_are_refused(pack, nodes, base):
    standalone.start(base)
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    other = pack.likeness.types.Embeddings(None, "facenet-1", torch.ones(1, 128))
    with pytest.raises(ValueError, match=r"embeddings of the encoder dlib_resnet-\w+, got facenet-1: connect the one"):
        nodes["LikenessRecognizability"].execute(embedder, other, 0.0)
