"""Crops come back where they were cut, and nothing else changes."""

import pytest
import torch

import factories
from geometry_cases import one_face, ramp, turned
from likeness.geometry import align, bbox_to_kps
from likeness.paste import Blend, paste
from likeness.types import Faces

TURNED = turned(25, 1.7, 200.3, 60.6)


@pytest.mark.parametrize("size", [112, 256])
def test_paste_after_align_is_the_identity(size):
    image = ramp()
    crops, alignment = align(image, one_face(TURNED), "arcface112", size)
    torch.testing.assert_close(
        paste(image, crops, alignment), image, atol=6e-4, rtol=0
    )  # cubic, at the border of the crop


def test_paste_changes_the_crop_and_nothing_else():
    image = ramp()
    crops, alignment = align(image, one_face(turned(0, 1, 37, 91)), "arcface112", 112)
    inside = torch.zeros(480, 640, 1, dtype=torch.bool)
    inside[91:203, 37:149] = True
    changed = paste(image, torch.ones_like(crops), alignment)[0] != image[0]
    assert torch.equal(changed.any(-1, keepdim=True), inside)


def test_the_crop_may_be_upscaled_before_it_is_pasted():
    image = ramp()
    crops, alignment = align(image, one_face(TURNED), "arcface112", 64)
    larger = torch.nn.functional.interpolate(crops.movedim(-1, 1), scale_factor=4, mode="bilinear").movedim(1, -1)
    assert (paste(image, larger, alignment) - image).abs().max() < 0.01


def test_a_mask_says_how_much_is_pasted():
    image = ramp()
    crops, alignment = align(image, one_face(TURNED), "arcface112", 112)
    assert torch.equal(paste(image, torch.ones_like(crops), alignment, torch.zeros(1, 112, 112)), image)


def test_a_mask_for_other_crops_is_refused():
    image = ramp()
    crops, alignment = align(image, one_face(turned(0, 1, 37, 91)), "arcface112", 112)
    with pytest.raises(ValueError, match=r"square masks, one for all 1 crops or one for each, got \(3, 64, 64\)"):
        paste(image, crops, alignment, torch.zeros(3, 64, 64))


def astronaut(template: str, size: int) -> tuple[torch.Tensor, torch.Tensor, object]:
    """The photo, her crop as Align Faces cuts it, and how it was cut."""
    image = factories.read_photo("astronaut")
    eyes = torch.tensor([[201.4, 104.9], [245.1, 104.8], [220.6, 127.0], [203.8, 145.1], [242.2, 144.9]])
    return image, *align(image, one_face(eyes, (512, 512)), template, size, "bicubic")


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


@pytest.mark.parametrize(
    ("template", "size"),
    [("arcface112", 250), ("dlib", 229), ("ffhq", 333), ("liveportrait", 461), ("head", 555)],
)
def test_an_aligned_crop_at_twice_the_scale_comes_back_at_55_decibels(template, size):
    image, crops, alignment = astronaut(template, size)
    assert float(alignment.matrix[0, :, :2].det().sqrt()) == pytest.approx(2, abs=0.1)
    changed = (paste(image, torch.zeros_like(crops), alignment) != image).any(-1)
    assert psnr(paste(image, crops, alignment)[changed], image[changed]) >= 55


def test_an_unrotated_crop_of_equal_scale_comes_back_bit_for_bit():
    image = factories.read_photo("astronaut")
    face = one_face(bbox_to_kps(torch.tensor([[100.0, 60, 324, 284]]))[0], (512, 512))
    crops, alignment = align(image, face, "arcface112", 224, "bicubic")
    assert torch.equal(crops[0], image[0, 60:284, 100:324])
    assert torch.equal(paste(image, crops, alignment), image)
    assert torch.equal(paste(image, crops, alignment, blend=Blend(feather=0.1)), image)


@pytest.mark.parametrize("size", [64, 224, 512])
def test_what_was_not_edited_does_not_change_at_all(size):
    image, crops, alignment = astronaut("ffhq", size)
    assert (paste(image, crops, alignment, blend=Blend(change=True)) - image).abs().max() < 1e-5
    edited = crops.clone()
    edited[:, : size // 2] = 1 - edited[:, : size // 2]
    result = paste(image, edited, alignment, blend=Blend(change=True))
    assert (result - image).abs().max() > 0.3
    assert psnr(result[:, 200:], image[:, 200:]) > 60


@pytest.mark.parametrize(
    "blend",
    [
        Blend(),
        Blend(feather=0.1),
        Blend(multiband=True, feather=0.1),
        Blend(change=True),
        Blend(color="lab", grain=True, feather=0.1),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_pixels_outside_the_mask_stay_bit_for_bit(blend, dtype):
    image, crops, alignment = astronaut("arcface112", 112)
    image = torch.cat([image, image[..., :1]], -1).to(dtype)
    mask = torch.zeros(1, 112, 112)
    mask[:, 30:80, 30:80] = 1
    result = paste(image, 1 - crops, alignment, mask, blend=blend)
    everything = paste(image.float(), torch.zeros_like(crops), alignment, mask)
    touched = (everything != image.float()).any(-1)
    assert result.dtype == dtype
    assert torch.equal(result[~touched], image[~touched])
    assert torch.equal(result[..., 3], image[..., 3])
    assert not torch.equal(result[touched], image[touched])


@pytest.mark.parametrize("blend", [Blend(feather=0.1), Blend(multiband=True, feather=0.1)], ids=str)
def test_a_tinted_crop_has_no_hard_edge(blend):
    image = torch.full((1, 480, 640, 3), 0.4)
    crops, alignment = align(image, one_face(TURNED), "arcface112", 256, "bicubic")
    result = paste(image, crops + 0.3, alignment, blend=blend)
    assert result.max() > 0.65
    assert max(result.diff(dim=1).abs().max(), result.diff(dim=2).abs().max()) < 0.04


@pytest.mark.parametrize("side", [33, 100, 200, 255, 300])
def test_octaves_are_joined_on_regions_of_any_size(side):
    image = factories.read_photo("astronaut")
    box = torch.tensor([[150.0, 40, 150 + side, 40 + side]])
    faces = Faces(
        (512, 512), 1, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), box, torch.ones(1)
    )
    crops, alignment = align(image, faces, "free", 128, "bicubic")
    result = paste(image, (crops + 0.2).clamp(0, 1), alignment, blend=Blend(multiband=True, feather=0.2))
    inside = slice(40 + side // 3, 40 + 2 * side // 3), slice(150 + side // 3, 150 + 2 * side // 3)
    brighter = (result - image)[0][inside].mean()
    assert 0.1 < brighter < 0.25
    assert torch.equal(result[:, :, :149], image[:, :, :149])


@pytest.mark.parametrize("padding", ["black", "edge", "mirror"])
@pytest.mark.parametrize("size", [256, 512])
def test_a_face_at_the_border_comes_back_without_a_dark_line(padding, size):
    """The photo is cut so that her eyes are in its corner; the crop shows what is outside as it is asked to."""
    photo, eyes = factories.read_photo("astronaut")[:, 90:, 200:], torch.tensor([200.0, 90])
    points = torch.tensor([[201.4, 104.9], [245.1, 104.8], [220.6, 127.0], [203.8, 145.1], [242.2, 144.9]]) - eyes
    faces = one_face(points, tuple(photo.shape[1:3]))
    crops, alignment = align(photo, faces, "arcface112", size, "bicubic", padding)
    assert crops.min() >= 0
    assert crops.max() <= 1
    assert (float(crops[0, size // 2, 0].sum()) == 0) == (padding == "black")
    back = paste(photo, crops, alignment)
    assert psnr(back[:, :3], photo[:, :3]) > 43
    assert psnr(back[:, :, :3], photo[:, :, :3]) > 43


def test_what_is_in_front_stays():
    image, crops, alignment = astronaut("arcface112", 112)
    front = torch.zeros(1, 512, 512)
    front[:, :120] = 1
    result = paste(image, 1 - crops, alignment, occlusion=front)
    assert torch.equal(result[:, :120], image[:, :120])
    assert not torch.equal(result, image)
    with pytest.raises(ValueError, match=r"occlusion mask of \(1, 512, 512\) or one for all, got \(1, 64, 64\)"):
        paste(image, crops, alignment, occlusion=torch.zeros(1, 64, 64))


def test_crops_of_a_video_go_to_their_frames():
    image = ramp().repeat(3, 1, 1, 1)
    one = one_face(TURNED)
    index = torch.tensor([0, 2])
    faces = Faces((480, 640), 3, index * 0, index, one.bbox.repeat(2, 1), torch.ones(2), TURNED.repeat(2, 1, 1))
    crops, alignment = align(image, faces, "arcface112", 112, "bicubic")
    result = paste(image, torch.ones_like(crops), alignment)
    assert [bool((result[i] != image[i]).any()) for i in range(3)] == [True, False, True]
    with pytest.raises(ValueError, match="2 square crops, one per aligned face, got 1"):
        paste(image, crops[:1], alignment)


def test_nothing_is_pasted_for_nobody_and_for_a_face_outside():
    crops, alignment = align(ramp(), Faces.empty((480, 640), 1), "arcface112", 112)
    assert torch.equal(paste(ramp(), crops, alignment), ramp())
    crops, alignment = align(ramp(), one_face(turned(0, 1, 5000, 0)), "arcface112", 112)
    assert torch.equal(paste(ramp(), crops, alignment), ramp())
