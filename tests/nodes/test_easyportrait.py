"""EasyPortrait through Load Face Parser and Parse Faces, on seeded files."""

import pytest
import torch
from safetensors.torch import save_file

import factories
import portrait_graphs


@pytest.fixture
def files(base):
    """Local files in a base's folder for face parsers."""
    from headless import standalone

    folder = base / "models/face_parsing"
    folder.mkdir()
    for kind in ("fp", "ps"):
        save_file(portrait_graphs.seeded(kind), folder / f"{kind}.safetensors")
    (folder / "fp.onnx").write_bytes(portrait_graphs.segformer(portrait_graphs.seeded("fp"), 64))
    other = {"backbone.conv.weight": torch.zeros(1)}
    save_file(other, folder / "other.safetensors")
    standalone.start(base)
    return base


def load(nodes, file: str, size: str = "224"):
    (parser,) = nodes["LikenessLoadFaceParser"].execute(file, size=size).args
    if not file.endswith(".onnx"):
        parser.patcher.model.size = 64  # quicker than any published
    return parser


def parse(nodes, parser, image, regions="all", faces=None):
    with torch.inference_mode():
        return nodes["LikenessParseFaces"].execute(parser, image, regions, faces).args


@pytest.mark.parametrize(("file", "size"), [("fp.safetensors", "224"), ("fp.onnx", "auto"), ("ps.safetensors", "512")])
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_every_frame_has_a_mask_whoever_is_in_it(nodes, files, file, size, count):
    parser = load(nodes, file, size)
    image = factories.people(min(count, 2))[:, ::8, ::8]
    boxes = "\n".join(f"{i} {i} 8 8" for i in range(count))
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, boxes).args
    for frames in (1, 2) if count < 30 else (1,):
        video = image.repeat(frames, 1, 1, 1)
        mask, parsing = parse(nodes, parser, video)
        assert mask.shape == video.shape[:3]
        assert len(parsing) == frames  # whole pictures
    assert torch.equal(parse(nodes, parser, image, "all", faces)[0], parse(nodes, parser, image)[0])


def test_teeth_are_told_apart_from_lips_and_persons_by_ps_alone(nodes, files):
    image = factories.people(1)[:, ::8, ::8]
    parser = load(nodes, "fp.safetensors")
    teeth, parsing = parse(nodes, parser, image, "teeth")
    (both,) = nodes["LikenessParsingToMask"].execute(parsing, "teeth, lips").args
    assert bool((both >= teeth - 1e-5).all())
    assert parse(nodes, load(nodes, "ps.safetensors"), image, "person")[0].shape == image.shape[:3]
    with pytest.raises(ValueError, match=r"Expected regions among .*teeth, got person: this parser does not tell it"):
        parse(nodes, parser, image, "person")


def test_a_file_that_does_not_say_its_size_asks_for_one(nodes, files):
    execute = nodes["LikenessLoadFaceParser"].execute
    with pytest.raises(
        ValueError, match="for EasyPortrait, got none: nothing in its file says at which it was trained"
    ):
        execute("fp.safetensors")
    assert execute("fp.safetensors", size="1024").args[0].patcher.model.size == 1024
    with pytest.raises(ValueError, match="a size among 64 for EasyPortraitGraph, got 512: it sees no other"):
        execute("fp.onnx", size="512")
    with pytest.raises(ValueError, match="Expected auto for the size for MeshRegions, got 512"):
        execute("mesh_regions/attention", size="512")


def test_published_weights_say_their_size(pack):
    models = pack.likeness.manifest.read_models("easyportrait")
    assert {model.size for model in models} == set(pack.likeness.parse.easyportrait.SIZES)
    assert all(f"_{model.size}" in model.id for model in models)


def test_the_file_of_another_system_is_refused_and_missing_weights_say_their_licence(nodes, files):
    with pytest.raises(ValueError, match=r"Not a checkpoint of .*easyportrait: it holds"):
        nodes["LikenessLoadFaceParser"].execute("other.safetensors", size="512")
    said = nodes["LikenessLoadFaceParser"].validate_inputs("easyportrait/segformer_b0_fp_512")
    assert "share-alike" in said
    assert "segformer-fp-512.pth" in said
