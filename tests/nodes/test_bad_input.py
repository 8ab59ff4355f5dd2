"""Pictures of every kind through the nodes that look at faces: taken, or refused with what to do."""

import dataclasses

import av
import numpy as np
import pytest
import torch

import factories
from headless import standalone

VERBS = ["LikenessEmbedFaces", "LikenessParseFaces", "LikenessAlignFaces", "LikenessDrawFaces", "LikenessFindLandmarks"]


@pytest.fixture
def run(nodes, base):
    """What a node makes first of a picture and its faces; ``run.find`` finds them."""
    load = {
        "detector": ("LikenessLoadFaceDetector", "yunet/2023mar"),
        "embedder": ("LikenessLoadFaceEmbedder", "dlib_resnet/v1"),
        "landmarker": ("LikenessLoadFaceLandmarker", "mediapipe_mesh/attention"),
        "parser": ("LikenessLoadFaceParser", "mesh_regions/attention"),
    }
    loaded = {name: nodes[node].execute(model).args[0] for name, (node, model) in load.items()}
    more = {
        "LikenessEmbedFaces": {"embedder": loaded["embedder"]},
        "LikenessParseFaces": {"parser": loaded["parser"], "regions": "face"},
        "LikenessAlignFaces": {"size": 64, "template": "dlib"},
        "LikenessDrawFaces": {"boxes": True, "labels": True, "points": True},
        "LikenessFindLandmarks": {"landmarker": loaded["landmarker"]},
    }

    def find(image):
        return nodes["LikenessDetectFaces"].execute(loaded["detector"], image, 0.7).args[0]

    def execute(verb, image, faces):
        return nodes[verb].execute(image=image, faces=faces, **more[verb]).args[0]

    execute.find = find
    return execute


def like(image: torch.Tensor, kind: str) -> torch.Tensor:
    """A picture of another kind."""
    grey, alpha = image.mean(-1, keepdim=True), torch.full_like(image[..., :1], 0.3)
    return {"grey": grey, "RGBA": torch.cat([image, alpha], -1), "half": image.half(), "double": image.double()}[kind]


@pytest.mark.parametrize("kind", ["grey", "RGBA", "half", "double"])
def test_every_kind_of_picture_is_taken(run, kind):
    image = like(factories.people(1), kind)
    faces = run.find(image)
    assert len(faces) == 1
    for verb in VERBS:
        assert len(run(verb, image, faces)) == 1, verb


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 900), (0, 64, 64)], ids=str)
def test_a_pixel_a_line_and_no_picture_have_no_face(run, size):
    image = torch.zeros(*size, 3)
    faces = run.find(image)
    assert len(faces) == 0
    for verb in VERBS:
        result = run(verb, image, faces)
        whole = verb in ("LikenessParseFaces", "LikenessDrawFaces")
        assert result.shape[:3] == size if whole else len(result) == 0, verb


def test_pixels_that_are_no_numbers_are_refused(run):
    image = factories.people(1)
    broken = image.clone()
    broken[0, 100, 100, 1] = torch.inf
    faces = run.find(image)
    for verb in VERBS:
        with pytest.raises(ValueError, match="Expected pixels from 0 to 1, got NaN or infinity in the image: look at"):
            run(verb, broken, faces)


def test_masks_that_are_no_numbers_are_refused(nodes, run):
    image = factories.people(1)
    faces, broken = run.find(image), torch.full((1, 512, 800), torch.nan)
    crops, alignment, *_ = nodes["LikenessAlignFaces"].execute(image, faces, 64, "dlib").args
    for call in (
        lambda: nodes["LikenessRefineMask"].execute(broken, 1.0, 1.0),
        lambda: nodes["LikenessDrawFaces"].execute(image, faces, True, True, True, mask=broken),
        lambda: nodes["LikenessPasteFaces"].execute(image, crops, alignment, mask=broken[:, :64, :64]),
        lambda: nodes["LikenessPasteFaces"].execute(image, crops, alignment, occlusion=broken),
    ):
        with pytest.raises(ValueError, match="got NaN or infinity in the image: look at the node that made the mask"):
            call()


def test_faces_of_another_picture_are_refused(run):
    image = factories.people(1)
    faces = run.find(image)
    for verb in VERBS:
        with pytest.raises(ValueError, match=r"1 images of 800 x 512 .*, got 2 of 800 x 512: connect the image that"):
            run(verb, image.repeat(2, 1, 1, 1), faces)


def test_a_picture_of_16_bits_a_channel_is_taken(nodes, base, run):
    photo = factories.read_photo("grace_hopper")[0]
    write_16_bit(base / "input/deep.png", photo)
    session = standalone.start(base)
    (image, _) = session.nodes["LoadImage"].execute(image="deep.png").args
    torch.testing.assert_close(image[0], photo, atol=1e-3, rtol=0)
    assert len(run.find(image)) == 1


def write_16_bit(path, photo: torch.Tensor) -> None:
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png")
        stream.height, stream.width, stream.pix_fmt = *photo.shape[:2], "rgb48be"
        pixels = (photo.numpy() * 65535).round().astype(np.uint16)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le").reformat(format="rgb48be")
        container.mux([*stream.encode(frame), *stream.encode()])


def test_the_face_of_an_8k_picture_is_parsed_aligned_and_drawn(run):
    image = torch.zeros(1, 4320, 7680, 3)
    face = torch.nn.functional.interpolate(factories.read_photo("grace_hopper").movedim(-1, 1), scale_factor=6)
    image[:, 600:4200, 3000:6072] = face.movedim(1, -1)
    faces = run.find(image)
    mask = run("LikenessParseFaces", image, faces)
    assert mask[0, 600 + 6 * 237, 3000 + 6 * 267] > 0.999  # the nose
    assert 0.03 < mask.mean() < 0.06
    assert run("LikenessAlignFaces", image, faces).shape == (1, 64, 64, 3)
    drawn = run("LikenessDrawFaces", image, faces)
    assert 1000 < (drawn != image).any(-1).sum() < 0.05 * mask.numel()


@pytest.mark.parametrize(
    ("box", "got"),
    [
        ((10, 10, 0, 30), "x 10, y 10, width 0, height 30"),
        ((10, 10, 30, -5), "x 10, y 10, width 30, height -5"),
        ((64, 10, 20, 20), "x 64, y 10, width 20, height 20"),
        ((-30, 10, 20, 20), "x -30, y 10, width 20, height 20"),
        ((float("nan"), 10, 20, 20), "x nan, y 10, width nan, height 20"),
    ],
    ids=str,
)
def test_boxes_without_area_or_outside_the_picture_are_refused(nodes, box, got):
    image = torch.zeros(2, 48, 64, 3)
    good, bad = ({"x": x, "y": y, "width": w, "height": h} for x, y, w, h in ((1, 1, 9, 9), box))
    message = f"part of the 64 x 48 picture, got {got} in image 1 .counted from 0.: correct it, or leave it out"
    with pytest.raises(ValueError, match=message):
        nodes["LikenessFacesFromBoxes"].execute(image, [[good], [good, bad]])
    with pytest.raises(ValueError, match=message):
        nodes["LikenessDrawFaces"].execute(image, [[good], [good, bad]], True, True, True)


def test_a_face_that_has_left_the_picture_is_cut_and_pasted_as_nothing(nodes, base):
    """A track is drawn on beyond the edge: its crop is black, and the picture stays."""
    image = factories.people(1)
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "790 40 60 60").args
    gone = dataclasses.replace(faces, bbox=faces.bbox + 100, kps=faces.kps + 100)
    crops, alignment, _ = nodes["LikenessAlignFaces"].execute(image, gone, 64, "dlib").args
    assert crops.max() == 0
    assert torch.equal(nodes["LikenessPasteFaces"].execute(image, crops, alignment).args[0], image)


def test_a_face_of_no_size_is_refused(nodes, base):
    image = factories.people(1)
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "90 40 60 60").args
    point = dataclasses.replace(faces, bbox=faces.bbox[:, :2].repeat(1, 2), kps=faces.kps[:, :1].repeat(1, 5, 1))
    for template in ("dlib", "free"):
        with pytest.raises(
            ValueError, match=r"faces of some size, got one whose points are all in one place, in image 0"
        ):
            nodes["LikenessAlignFaces"].execute(image, point, 64, template)
