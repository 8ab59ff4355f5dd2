"""Refine Mask, on core's own masks and on those of faces."""

import pytest
import torch

import factories


def square(frames: int = 1, size: int = 64, start: int = 20, stop: int = 40) -> torch.Tensor:
    mask = torch.zeros(frames, size, size)
    mask[:, start:stop, start:stop] = 1
    return mask


@pytest.fixture
def refine(nodes):
    return lambda *given, **more: nodes["LikenessRefineMask"].execute(*given, **more).args[0]


@pytest.mark.parametrize("frames", [1, 3])
def test_a_mask_grows_and_fades(refine, frames):
    result = refine(square(frames), 4.0, 0.0)
    assert result.shape == (frames, 64, 64)
    assert (result[:, 16:44, 30] == 1).all()
    soft = refine(square(frames), 0.0, 8.0)
    assert 0 < soft[0, 22, 30] < 1


def test_a_mask_of_core_is_united_with_another(refine):
    left, right = square(3), square(1, start=35, stop=50)
    result = refine(left, 0.0, 0.0, union=right)
    assert torch.equal(result, torch.maximum(left, right))
    assert len(refine(right, 0.0, 0.0, union=left)) == 3
    assert result.dtype == torch.float32
    assert torch.equal(refine(left.half(), 0.0, 0.0, union=right), result)


@pytest.mark.parametrize("other", [square(1, 32), square(2)], ids=["size", "frames"])
def test_a_mask_of_another_size_is_refused(refine, other):
    with pytest.raises(ValueError, match=r"a mask of \(3, 64, 64\) to unite, .* got \(\d, \d\d, \d\d\): resize it"):
        refine(square(3), 0.0, 0.0, union=other)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_mask_of_a_region_is_cut_like_the_crops_and_pasted_by(nodes, base, count):
    """Regions to a mask, refined, cut, and only there an edit is pasted."""
    image = factories.people(count)
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    (parser,) = nodes["LikenessLoadFaceParser"].execute("mesh_regions/attention").args
    faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
    mask = nodes["LikenessParseFaces"].execute(parser, image, "lips", faces).args[0]
    wider = nodes["LikenessRefineMask"].execute(mask, 3.0, 4.0).args[0]
    crops, alignment, masks = nodes["LikenessAlignFaces"].execute(image, faces, 256, "ffhq", mask=wider).args
    assert masks.shape == (count, 256, 256)
    result = nodes["LikenessPasteFaces"].execute(image, 1 - crops, alignment, masks).args[0]
    changed = ((result - image).abs() > 0.02).any(-1)
    outside = nodes["LikenessRefineMask"].execute(wider, 4.0, 0.0).args[0] == 0
    assert not changed[outside].any()
    assert changed.any() == (count > 0)
    if count:
        assert changed[mask > 0.99].float().mean() > 0.8


def test_masks_of_other_pictures_are_refused_by_the_crops(nodes):
    image = torch.zeros(1, 64, 64, 3)
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "8 8 40 40").args
    with pytest.raises(ValueError, match=r"a mask of \(1, 64, 64\), one per image or one for all, got \(2, 64, 64\)"):
        nodes["LikenessAlignFaces"].execute(image, faces, 32, "dlib", mask=square(2))
    crops, alignment, none = nodes["LikenessAlignFaces"].execute(image, faces, 32, "dlib").args
    assert none is None
    with pytest.raises(ValueError, match=r"square masks, one for all 1 crops or one for each, got \(2, 64, 64\)"):
        nodes["LikenessPasteFaces"].execute(image, crops, alignment, square(2))
    with pytest.raises(ValueError, match=r"an occlusion mask of \(1, 64, 64\) or one for all, got \(1, 32, 32\)"):
        nodes["LikenessPasteFaces"].execute(image, crops, alignment, occlusion=square(1, 32))
