"""An encoder that sees an average image beside every face, on its nodes."""

import pytest
import torch
from safetensors.torch import save_file

import factories
import golden
from headless import standalone

LAYOUT = golden.FOLDER / "stylegan_encoders/restyle_ir50.tsv"


@pytest.fixture
def file(pack, base):
    """The first block of each stage of the seeded network, as a file of one's own."""
    layout = golden.state_dict(LAYOUT)
    kept = {f"encoder.body.{block}.": f"encoder.body.{number}." for number, block in enumerate((0, 3, 7, 21))}
    found = {name: tensor for name, tensor in layout.items() if not name.startswith("encoder.body.")}
    for start, now in kept.items():
        found |= {now + name.removeprefix(start): layout[name] for name in layout if name.startswith(start)}
    (base / "models/face_embedding").mkdir()
    save_file(
        {name: tensor.contiguous() for name, tensor in found.items()}, base / "models/face_embedding/own.safetensors"
    )
    standalone.start(base)
    return "own.safetensors"


def test_the_average_image_is_given_at_the_loader(nodes, file):
    image, average = factories.people(1), factories.photo(112, 112, 3)[None]
    load = nodes["LikenessLoadFaceEmbedder"].execute
    with pytest.raises(ValueError, match=r"one average image of 112 x 112 for ReStyleEncoder, got none"):
        load(file)
    with pytest.raises(ValueError, match="got 1 of 224 x 224"):
        load(file, average=factories.photo(224, 224, 3)[None])
    with pytest.raises(ValueError, match="Expected no average image for"):
        load("dlib_resnet/v1", average=average)
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    found = []
    with torch.inference_mode():
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
        for beside in (average, average.flip(1)):
            (embedder,) = load(file, average=beside).args
            found += nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args
    assert found[0].embedding.shape == (1, 512)
    assert found[0].space != found[1].space
    assert not torch.allclose(found[0].embedding, found[1].embedding)
