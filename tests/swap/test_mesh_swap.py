"""Each shipped person with the other's face: who it looks like, where it changes, how it meets its photo."""

import pytest
import torch
from kornia.color import rgb_to_lab

import factories
from likeness import detect, embed, onnx, swap
from likeness.filters import blur
from likeness.swap import mesh_swap
from likeness.types import Faces, NoFaceError
from likeness.weights import build_onnx

WEIGHTS = factories.STARTER / "weights"
PAIRS = [("astronaut", "grace_hopper"), ("grace_hopper", "astronaut")]  # source, target


@pytest.fixture(scope="module")
def networks():
    """Detector, swapper and embedder."""
    files = {"face_detection_yunet_2023mar": detect, "face_landmark_with_attention": swap}
    files |= {"dlib_face_resnet_v1_fp16w": embed}
    return [build_onnx(onnx.read(WEIGHTS / f"{name}.onnx"), task.SYSTEMS) for name, task in files.items()]


@pytest.fixture(scope="module")
def people(networks):
    """Photo and face of each person."""
    photos = {name: factories.read_photo(name) for name in factories.PHOTOS}
    return {name: (photo, networks[0].detect(photo)) for name, photo in photos.items()}


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def swapped(networks, people, request):
    """Source, target, and the target with the source's face and where; a person is a photo and a face."""
    source, target = (people[name] for name in request.param)
    return source, target, networks[1].swap(*target, *source)


def test_it_looks_like_the_source_more_than_like_the_target(networks, swapped):
    source, target, (image, _) = swapped
    result, a, b = (networks[2].embed(*person) for person in ((image, target[1]), source, target))
    to_source, to_target = result.distance(a).item(), result.distance(b).item()
    assert to_source < 0.5  # seen: 0.47 and 0.32
    assert to_target > 0.5
    assert to_target - to_source >= 0.1


def test_there_is_still_one_face(networks, swapped):
    _, (photo, faces), (image, _) = swapped
    found = networks[0].detect(image)
    assert len(found) == 1
    torch.testing.assert_close(found.kps, faces.kps, atol=0.1 * float(faces.bbox[0, 2] - faces.bbox[0, 0]), rtol=0)
    assert image.shape == photo.shape


def test_outside_the_mask_nothing_changes(swapped):
    _, (photo, faces), (image, mask) = swapped
    assert torch.equal(image[mask == 0], photo[mask == 0])
    assert mask.shape == photo.shape[:3]
    assert mask.min() == 0
    assert 0.999 < mask.max() <= 1
    x1, y1, x2, y2 = faces.bbox[0].int().tolist()
    assert mask[0, y1:y2, x1:x2].sum() > 0.98 * mask.sum()


def test_the_seam_is_at_most_half_of_the_raw_one(networks, swapped, monkeypatch):
    source, (photo, faces), (image, mask) = swapped
    points = networks[1].landmarker.landmarks(photo, faces).points[0, :468]
    monkeypatch.setattr(mesh_swap, "match_color", lambda face, *_: face)
    monkeypatch.setattr(mesh_swap, "rim_offset", lambda face, *_: torch.zeros_like(face))
    raw, _ = networks[1].swap(photo, faces, *source)

    def seam(picture: torch.Tensor) -> float:
        """How far the face's own colour is in Lab from the photo's where they mix, on cheeks and jaw."""
        mix = mask[0, ..., None].clamp(min=0.05)
        face = torch.where(mix > 0.1, photo[0] + (picture[0] - photo[0]) / mix, photo[0])
        width = mesh_swap.face_width(points)
        lab = [rgb_to_lab(blur(part.clamp(0, 1), 0.012 * width).movedim(-1, 0)) for part in (face, photo[0])]
        band = (mask[0] > 0.3) & (mask[0] < 0.7)
        band &= torch.arange(len(band))[:, None] > points[[50, 280], 1].mean()
        return float((lab[0] - lab[1]).norm(dim=0)[band].mean())

    assert seam(image) < 0.5 * seam(raw)  # seen: 7 against 28


def test_a_person_swapped_with_herself_stays_as_she_was(networks, people):
    for person in people.values():
        image, _ = networks[1].swap(*person, *person)
        assert (image - person[0]).abs().max() < 0.02


def test_hair_on_the_forehead_is_not_taken_along(networks, people):
    lines = {}
    for name, (photo, faces) in people.items():
        points = networks[1].landmarker.landmarks(photo, faces).points[0, :468]
        lines[name] = mesh_swap.hairline(photo[0], points)
    assert 5.5 < lines["astronaut"] < 7.0  # a fringe: brows are at 5, the outline is at 8.3
    assert lines["grace_hopper"] > 7.5
    skin = torch.tensor([0.8, 0.6, 0.5]).expand(512, 512, 3)
    assert mesh_swap.hairline(skin, points) > 8.3


def test_an_open_mouth_keeps_its_teeth_when_the_source_is_shut(networks, people):
    for (source, target), kept in zip(PAIRS, (False, True), strict=True):
        photo, faces = people[target]
        _, mask = networks[1].swap(photo, faces, *people[source])
        points = networks[1].landmarker.landmarks(photo, faces).points[0]
        x, y = points[[13, 14], :2].mean(0).round().int().tolist()
        assert (mask[0, y, x] < 0.3) == kept


def test_two_people_in_a_picture_both_change(networks, people):
    detector, swapper, embedder = networks
    image = factories.people(2)
    faces = detector.detect(image)
    result, mask = swapper.swap(image, faces, *people["grace_hopper"])
    assert [bool(mask[0, :, half].any()) for half in (slice(0, 400), slice(400, 800))] == [True, True]
    source = embedder.embed(*people["grace_hopper"])
    assert (embedder.embed(result, faces).distance(source) < 0.5).all()


def test_nobody_to_change_changes_nothing(networks, people):
    image = factories.people(0).repeat(2, 1, 1, 1)
    for frames in (image, image[:0]):
        result, mask = networks[1].swap(frames, Faces.empty((512, 800), len(frames)), *people["astronaut"])
        assert torch.equal(result, frames)
        assert mask.shape == frames.shape[:3]
        assert not mask.any()


def test_one_source_face_is_needed(networks, people):
    photo, faces = people["astronaut"]
    with pytest.raises(NoFaceError, match="Expected one face, got none"):
        networks[1].swap(photo, faces, photo, faces.select(torch.zeros(0, dtype=torch.long)))
    with pytest.raises(ValueError, match="Expected one face, got 2"):
        networks[1].swap(photo, faces, photo, faces.select(torch.tensor([0, 0])))


def test_a_face_that_leaves_the_picture_is_swapped_as_far_as_it_is_there(networks, people):
    photo, faces = people["grace_hopper"]
    middle = int(faces.kps[0, 2, 0]) + 12
    half = photo[:, :, :middle]
    shown = Faces((photo.shape[1], middle), 1, faces.id, faces.image_index, faces.bbox, faces.score, faces.kps)
    result, mask = networks[1].swap(half, shown, *people["astronaut"])
    assert result.isfinite().all()
    assert mask.max() > 0.9


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (30, 30)], ids=str)
def test_a_tiny_picture_is_no_trouble(networks, people, size):
    faces = people["astronaut"][1]
    box = torch.tensor([[0.0, 0, size[1], size[0]]])
    tiny = Faces(size, 1, faces.id, faces.image_index, box, faces.score)
    result, mask = networks[1].swap(torch.full((1, *size, 3), 0.5), tiny, *people["astronaut"])
    assert result.isfinite().all()
    assert ((mask >= 0) & (mask <= 1)).all()


def test_noise_does_not_make_a_video_flicker(networks, people):
    photo, _ = people["grace_hopper"]
    noisy = (photo + 0.012 * torch.randn(4, *photo.shape[1:], generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    result, mask = networks[1].swap(noisy, networks[0].detect(noisy), *people["astronaut"])
    inside = (mask > 0.9).all(0)
    assert result.diff(dim=0)[:, inside].abs().mean() < noisy.diff(dim=0)[:, inside].abs().mean()
    assert result[:, inside].mean(1).std(0).max() < 1 / 255  # nor does its colour breathe


def test_a_talking_face_is_the_source_in_every_frame_and_its_colour_is_calm(networks, people):
    detector, swapper, embedder = networks
    frames = factories.read_clip()[8:20]
    faces = detector.detect(frames)
    result, mask = swapper.swap(frames, faces, *people["grace_hopper"])
    source = embedder.embed(*people["grace_hopper"])
    assert (embedder.embed(result, faces).distance(source) < 0.5).all()  # seen over the whole clip: at most 0.45
    colors = (result * mask[..., None]).sum((1, 2)) / mask.sum((1, 2))[:, None]
    assert colors.diff(n=2, dim=0).abs().mean() < 2.5 / 255  # the clip's own face: 0.8
