"""Embed Faces with e4e, Edit Face Code and Preview Face Code: for no, one and two faces, in one frame and several."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import factories
import golden
from headless import standalone

FOLDER = golden.FOLDER / "e4e"


@pytest.fixture
def embedder(nodes, base):
    """A file of the user's own, recognised by its tensors: seeded, with rows of 64 numbers."""
    path = base / "models/face_embedding/mine.safetensors"
    path.parent.mkdir(parents=True)
    tensors = golden.state_dict(FOLDER / "e4e_ffhq_encode.small.tsv", FOLDER / "golden.json")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    standalone.start(base)
    (loaded,) = nodes["LikenessLoadFaceEmbedder"].execute("mine.safetensors").args
    return loaded


@pytest.fixture
def direction(base):
    """A direction of the user's own."""
    path = base / "models/face_directions/mine.npy"
    path.parent.mkdir(parents=True)
    np.save(path, np.linspace(-1, 1, 64))
    return "mine.npy"


def people(nodes, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    boxes = ["100 100 200 200", "300 100 400 200"][:count]
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "\n".join(boxes)).args
    return image, faces


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_codes_are_made_edited_and_drawn(nodes, embedder, direction, count, frames):
    image, faces = people(nodes, count, frames)
    head = torch.zeros(image.shape[:3])
    head[:, 80:260, 80:480] = 1
    with torch.inference_mode():
        (codes,) = nodes["LikenessEmbedFaces"].execute(embedder, image, faces, head).args
        (plain,) = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args
        (edited,) = nodes["LikenessEditFaceCode"].execute(codes, direction, 2.0, 1, 4).args
        few = edited.select(torch.arange(len(codes))[:count] if frames == 1 else torch.arange(0))
        (shown,) = nodes["LikenessPreviewFaceCode"].execute(embedder, few).args
    assert codes.embedding.shape == (len(faces), 18 * 64)
    assert codes.weights.startswith("mine.safetensors")
    assert len(edited) == len(codes)
    assert shown.shape == (count if frames == 1 else 0, 1024, 1024, 3)
    if count:
        assert not torch.equal(codes.embedding, plain.embedding)
        moved = (edited.embedding - codes.embedding).unflatten(1, (18, 64))
        assert moved[:, :4].any(-1).all()
        assert not moved[:, 4:].any()


def test_each_frame_has_its_own_head(nodes, embedder):
    """Also beyond the images that are looked at together."""
    image, faces = people(nodes, 1, 1)
    image, faces = image.repeat(17, 1, 1, 1)[:, ::2, ::2], None
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "50 50 100 100").args
    head = torch.ones(image.shape[:3])
    head[16] = 0
    with torch.inference_mode():
        (codes,) = nodes["LikenessEmbedFaces"].execute(embedder, image, faces, head).args
    apart = (codes.embedding - codes.embedding[:1]).abs().amax(1)
    assert apart[:16].max() < 1e-3 * codes.embedding.std()
    assert apart[16] > 0.1 * codes.embedding.std()


def test_only_an_encoder_of_heads_takes_a_mask_and_only_one_with_a_generator_draws(nodes, base):
    standalone.start(base)
    (dlib,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    image, faces = people(nodes, 1, 1)
    with pytest.raises(
        ValueError, match=r"such as e4e, for head_mask, got dlib_resnet-\w+, which sees faces as they are"
    ):
        nodes["LikenessEmbedFaces"].execute(dlib, image, faces, torch.ones(image.shape[:3]))
    (known,) = nodes["LikenessEmbedFaces"].execute(dlib, image, faces).args
    with pytest.raises(ValueError, match=r"an encoder with a generator, such as e4e, got dlib_resnet-"):
        nodes["LikenessPreviewFaceCode"].execute(dlib, known)


def test_codes_are_no_identities_to_compare(nodes, embedder):
    image, faces = people(nodes, 2, 1)
    with torch.inference_mode():
        (codes,) = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args
    with pytest.raises(
        ValueError, match="identities of a recogniser, which people differ by in direction, got codes of"
    ):
        nodes["LikenessCompareFaces"].execute(codes, codes)
    (mixed,) = nodes["LikenessMixIdentities"].execute(codes.select(torch.tensor([0])), codes, weights="1, 0, 1").args
    torch.testing.assert_close(mixed.embedding[0], codes.embedding.mean(0), atol=1e-4, rtol=1e-4)
    assert mixed.flat


def test_a_direction_that_is_not_here_is_named(nodes, base):
    standalone.start(base)
    edit = nodes["LikenessEditFaceCode"]
    said = edit.validate_inputs("interfacegan/age")
    assert "the weights face_directions/interfacegan" in said
    assert "which are not installed" in said
    assert "face_directions, got nobody.npy: put it there" in edit.validate_inputs("nobody.npy")
    assert "Expected" in edit.validate_inputs(None)
    options = edit.GET_SCHEMA().inputs[1].options["options"]
    assert len(options) == 2 + 21 + 42
    assert {"interfacegan/smile", "latent/eyes_open", "ganspace/lipstick"} <= {*options}


def test_published_directions_are_read_where_the_model_panel_puts_them(pack, nodes, base):
    folder = base / "models/face_directions/interfacegan"
    folder.mkdir(parents=True)
    for name in ("age", "smile"):
        save_file({"value": torch.ones(1, 64) * len(name)}, folder / f"{name}.safetensors")
    standalone.start(base)
    edit = nodes["LikenessEditFaceCode"]
    assert edit.validate_inputs("interfacegan/smile") is True
    assert "Expected one of" in edit.validate_inputs("interfacegan/nose")
    code = pack.likeness.types.Embeddings(None, "e4e_wplus-1", torch.ones(1, 18 * 64), metric="l2", flat=True)
    (moved,) = edit.execute(code, "interfacegan/smile", 2.0).args
    torch.testing.assert_close(moved.embedding, torch.full((1, 18 * 64), 11.0))
