"""Many faces of a person as one identity: the better seen count more, strangers not at all."""

from dataclasses import replace

import pytest
import torch

import factories
from crowds import crowd, known
from likeness.filters import blur
from likeness.identity.fuse import fuse, quality
from likeness.sharpness import sharpness
from likeness.types import Embeddings, Faces, NoFaceError


def faces(*boxes, score: float = 0.9, size: tuple[int, int] = (200, 200)) -> Faces:
    box, index = torch.tensor(boxes, dtype=torch.float32), torch.arange(len(boxes))
    return Faces(size, 1, index, index * 0, box, torch.full((len(boxes),), score))


def people(strangers: int, seed: int = 0):
    """Ten faces of one person and some of others, and the person."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.nn.functional.normalize(torch.randn(1, 512, generator=generator), dim=1)
    own = centre + torch.randn(10, 512, generator=generator) / 512**0.5 * 0.8
    return torch.cat([own, torch.randn(strangers, 512, generator=generator) / 512**0.5]) * 20, centre


@pytest.mark.parametrize("seed", range(5))
def test_strangers_are_left_out_and_the_person_is_nearer_than_the_mean(seed):
    vectors, centre = people(3, seed)
    fused = fuse(known(vectors))
    assert fused.table["kept"].tolist() == [True] * 10 + [False] * 3
    near, mean = (torch.cosine_similarity(v, centre) for v in (fused.identities.identities.embedding, vectors.mean(0)))
    assert near > mean
    assert fuse(known(vectors), reject=0).table["kept"].all()


def test_a_fused_identity_is_the_weighted_mean_and_not_normalised():
    vectors = torch.tensor([[4.0, 0], [3, 1]])
    fused = fuse(known(vectors), weights=torch.tensor([3.0, 1])).identities.identities
    torch.testing.assert_close(fused.embedding, torch.tensor([[3.75, 0.25]]))
    assert (fused.faces, fused.space) == (None, "arcface-1")


def test_each_group_has_its_own():
    vectors, _ = people(0)
    fused = fuse(known(torch.cat([vectors, -vectors])), torch.tensor([7] * 10 + [2] * 10))
    assert fused.identities.names == ("group 2", "group 7")
    similarity = fused.identities.identities.similarity(known(torch.stack([-vectors.mean(0), vectors.mean(0)])))
    assert similarity.diagonal().min() > 0.99


def test_one_face_is_itself_and_two_are_never_told_apart():
    one = fuse(known(torch.tensor([[3.0, 4]])))
    assert one.identities.identities.embedding.tolist() == [[3, 4]]
    assert fuse(known(torch.eye(2))).table["kept"].all()


def test_small_doubtful_and_blurred_faces_count_less_and_bridged_ones_nothing():
    two = faces((0, 0, 112, 112), (0, 0, 28, 40))
    assert quality(two).tolist() == pytest.approx([0.9, 0.225])
    assert quality(replace(two, score=torch.tensor([0.0, 1]))).tolist() == pytest.approx([0, 0.25])
    image = factories.photo(200, 200, 0) + 0.1 * factories.noise(torch.Size([200, 200, 3]))
    image[:, 100:] = blur(image, 4.0)[:, 100:]
    pair = faces((0, 0, 80, 80), (110, 0, 190, 80))
    sharp, soft = sharpness(image[None], pair).tolist()
    assert sharp > 2 * soft
    assert quality(pair, sharpness(image[None], pair))[0] > 1.9 * quality(pair, sharpness(image[None], pair))[1]


def test_the_table_says_where_each_face_is():
    found = Embeddings(faces((0, 0, 50, 50), (9, 9, 99, 99)), "arcface-1", torch.ones(2, 4))
    assert fuse(found).table.names == ("group", "weight", "similarity", "kept", "image", "face")


def test_nobody_and_weights_of_nothing_are_refused():
    with pytest.raises(NoFaceError, match="Expected faces to fuse, got none"):
        fuse(known(torch.zeros(0, 4)))
    with pytest.raises(ValueError, match="a face that was seen in group 0, got weights of 0 only"):
        fuse(known(torch.eye(2)), weights=torch.zeros(2))
    with pytest.raises(ValueError, match="got zero or NaN in row 1"):
        fuse(known(torch.zeros(1, 4)))
    with pytest.raises(ValueError, match="row of the fused identities, got zero or NaN in row 1"):
        fuse(known(torch.tensor([[1.0, 0], [-1, 0]])))


def test_a_crowd_is_fused_by_person():
    vectors, who = crowd(200, 10, bridging=0)
    fused = fuse(known(vectors), torch.from_numpy(who)).identities.identities
    assert (
        fused.similarity(known(vectors)).argmax(0).numpy()
        == torch.from_numpy(who).unique(return_inverse=True)[1].numpy()
    ).all()


def test_codes_of_a_flat_space_agree_by_their_distance():
    """All lie far from zero in one direction; the stranger differs by little of that, by much of the rest."""
    draw = torch.Generator().manual_seed(0)
    codes = torch.ones(8, 64) * 50 + torch.randn(8, 64, generator=draw)
    codes[7] += 8 * torch.randn(64, generator=draw)
    given = known(codes, "e4e_wplus-1", metric="l2", flat=True)
    assert fuse(given).table["kept"].tolist() == [True] * 7 + [False]
    assert fuse(known(codes)).table["kept"].all()  # by direction nobody would be seen to be another
    fused = fuse(given).identities.identities
    torch.testing.assert_close(fused.embedding[0], codes[:7].mean(0))
    assert fuse(given.select(torch.zeros(1, dtype=torch.int64))).table["kept"].all()
