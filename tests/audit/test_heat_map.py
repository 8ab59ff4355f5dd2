"""Occlusion, LIME and Grad-CAM find what an answer really hangs on."""

import base64
import json
import math
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import explaining_cases as cases
import factories
from likeness.audit import heat_map, overlap
from likeness.audit.heat_map import Lime, Occlusion, cover, grad_cam, ridge, segment, tone

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "checkpoints/expression_explainability/golden.json").read_text(encoding="utf-8")
)
SIDE = 128
TOP, BOTTOM, LEFT, RIGHT = 36, 84, 28, 100  # the region that the answer hangs on


def picture() -> torch.Tensor:
    """(S, S, 3) a bright block on a dark ground, both with some texture."""
    made = 0.25 * factories.photo(SIDE, SIDE, 1)
    made[TOP:BOTTOM, LEFT:RIGHT] += torch.tensor([0.7, 0.5, 0.3])
    return made


def region() -> torch.Tensor:
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[TOP:BOTTOM, LEFT:RIGHT] = True
    return mask


def brightness(pictures: torch.Tensor) -> torch.Tensor:
    """A classifier whose region is known: how bright the block is."""
    return pictures[:, TOP:BOTTOM, LEFT:RIGHT].mean((1, 2, 3))


def iou(heat: torch.Tensor) -> float:
    return overlap.overlap(overlap.threshold(tone(heat))[0], region()).iou


@pytest.mark.parametrize("fill", ["black", "mean", "gray"])
def test_occlusion_finds_the_region(fill):
    """Measured IoU: 1 black, 1 mean, 0.98 gray; with patches twice as wide 0.79, for a patch is all hot or not."""
    assert iou(Occlusion(patch=8 / SIDE, stride=0.5, fill=fill).heat(picture(), brightness)) >= 0.9


def test_lime_finds_the_region_in_superpixels():
    pytest.importorskip("skimage", reason="pip install scikit-image: it makes the superpixels")
    assert iou(Lime(regions=30, samples=300).heat(picture(), brightness)) >= 0.9


def test_lime_finds_the_region_as_well_as_squares_can():
    """Measured IoU 0.79: squares of 8 pixels do not meet the region's border. In superpixels it is 0.91."""
    assert iou(Lime(16**2, 1500, segments="grid").heat(picture(), brightness)) > 0.75


class Blocks(nn.Module):
    """A convolution that sees the block, and one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU())
        self.last = nn.AvgPool2d(4)
        with torch.no_grad():
            self.body[0].weight.zero_()
            self.body[0].weight[0, :, 1, 1] = 1
            self.body[0].weight[1, :, 1, 1] = -1
            self.body[0].bias.copy_(torch.tensor([-1.0, 0.5]))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.last(self.body(pictures.movedim(-1, 1))).mean((2, 3))


def test_grad_cam_finds_the_region_at_the_layer_named_or_the_last_map():
    """Measured IoU: 1 at the convolution, 0.998 at the last map, whose cells are four pixels wide."""
    network = Blocks()
    for layer, expected in (("body.1", 0.95), ("", 0.85)):
        heat, name = grad_cam(network, lambda copy: copy(picture()[None])[:, 0], layer)
        assert name == (layer or "last")
        full = nn.functional.interpolate(heat[None], (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0]
        assert iou(full) >= expected
    assert all(parameter.grad is None for parameter in network.parameters())


def test_grad_cam_works_on_what_was_made_without_gradients():
    """ComfyUI makes networks and runs nodes in inference mode."""
    with torch.inference_mode():
        network = Blocks()
        heat, _ = grad_cam(network, lambda copy: copy(picture()[None].clone())[:, 0], "body.1")
    assert iou(heat[0]) >= 0.95


class Tokens(nn.Module):
    """A transformer's shape: a class token, then a square of patches."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Identity()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        patches = nn.functional.avg_pool2d(pictures.movedim(-1, 1), 4).flatten(2).mT
        tokens = self.norm(torch.cat([torch.zeros(len(pictures), 1, 3), patches], 1))
        return tokens[:, 1:].square().mean(1)


def test_tokens_of_a_transformer_are_a_map_without_the_class_token():
    heat, name = grad_cam(Tokens(), lambda copy: copy(picture()[None])[:, 0], "norm")
    assert (name, heat.shape) == ("norm", (1, 32, 32))
    full = heat.repeat_interleave(4, 1).repeat_interleave(4, 2)[0]
    assert iou(full) >= 0.9


def test_a_layer_that_is_not_there_or_no_map_is_answered_with_some_that_are():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten())

    def answer(copy: nn.Module) -> torch.Tensor:
        return copy(picture().movedim(-1, 0)[None])[:, 0]

    with pytest.raises(ValueError, match=r"a layer that is a map, such as 0, got conv5"):
        grad_cam(network, answer, "conv5")
    with pytest.raises(ValueError, match=r"such as 0, got 1 of shape \(1, 31752\)"):
        grad_cam(network, answer, "1")


def test_a_layer_that_the_answer_does_not_hang_on_is_named():
    class Beside(Blocks):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            super().forward(pictures)
            return pictures.mean((1, 2))

    with pytest.raises(ValueError, match=r"a layer that the answer hangs on, got last"):
        grad_cam(Beside(), lambda copy: copy(picture()[None])[:, 0])


def test_the_regression_is_the_authors_lime():
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(GOLDEN["shown"])), np.uint8))
    shown = bits[: cases.SAMPLES * cases.REGIONS].reshape(cases.SAMPLES, cases.REGIONS)
    added = ridge(torch.from_numpy(shown), torch.tensor(GOLDEN["scores"], dtype=torch.float64))
    assert added.tolist() == pytest.approx(GOLDEN["added"], rel=1e-6, abs=1e-9)


def test_hidden_squares_score_as_in_the_authors_lime():
    weights = torch.from_numpy(cases.weights())
    shown = torch.from_numpy(
        np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(GOLDEN["shown"])), np.uint8))[
            : cases.SAMPLES * cases.REGIONS
        ].reshape(cases.SAMPLES, cases.REGIONS)
    )
    given, labels = torch.from_numpy(cases.picture()), torch.from_numpy(cases.regions())
    assert torch.equal(segment(given, cases.REGIONS, "grid"), labels)
    pictures = torch.where(shown.bool()[:, labels][..., None], given, cover(given, "black"))
    scores = (pictures * weights[..., None]).mean((1, 2, 3))
    assert scores.tolist() == pytest.approx(GOLDEN["scores"], abs=1e-9)


def test_lime_is_the_same_for_a_seed_and_another_for_another():
    given = picture()
    one, same, other = (
        Lime(16, 60, seed, segments="grid").heat(given, lambda x: brightness(x).square()) for seed in (3, 3, 4)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("how", [Occlusion(0.3, 0.7), Occlusion(1.0, 1.0), Lime(9, 40, segments="grid")])
def test_it_says_beforehand_how_many_pictures_are_scored(how):
    seen = []
    how.heat(torch.rand(50, 50, 3), lambda pictures: seen.append(len(pictures)) or pictures.mean((1, 2, 3)))
    assert sum(seen) == how.count(50)
    assert max(seen) <= heat_map.BATCH


def test_what_speaks_against_an_answer_is_negative():
    heat = Occlusion(8 / SIDE, 1.0, "black").heat(picture(), lambda pictures: -brightness(pictures))
    assert heat.max() <= 1e-6
    assert not tone(heat, "for").any()
    assert iou(-heat) > 0.75
    assert torch.equal(tone(heat, "against"), tone(heat, "both"))
    with pytest.raises(ValueError, match="a sign among for, against, both, got up"):
        tone(heat, "up")


def test_unknown_fills_and_regions_are_answered_with_those_there_are():
    with pytest.raises(ValueError, match="a fill among gray, mean, blur, black, got white"):
        cover(picture(), "white")
    with pytest.raises(ValueError, match="one of slic, grid, got felzenszwalb"):
        segment(picture(), 4, "felzenszwalb")


def test_without_scikit_image_superpixels_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(ImportError, match="pip install scikit-image, or take grid"):
        segment(picture(), 4, "slic")


def test_captum_agrees():
    """An oracle where it is installed; it is no dependency."""
    captum = pytest.importorskip("captum.attr", reason="captum is not installed: pip install captum to compare with it")
    given, patch = picture(), 16

    def forward(x: torch.Tensor) -> torch.Tensor:
        return brightness(x.movedim(1, -1))

    x = given.movedim(-1, 0)[None]
    theirs = captum.Occlusion(forward).attribute(x, (3, patch, patch), strides=(3, patch, patch), baselines=0.0)[0, 0]
    ours = Occlusion(patch / SIDE, 1.0, "black").heat(given, brightness)
    torch.testing.assert_close(ours, theirs.float(), atol=1e-6, rtol=0)
    network = Blocks()
    cam = captum.LayerGradCam(lambda y: network(y.movedim(1, -1)), network.body[1]).attribute(x, target=0)
    heat, _ = grad_cam(network, lambda copy: copy(given[None])[:, 0], "body.1")
    torch.testing.assert_close(heat, cam[0].detach(), atol=1e-6, rtol=1e-4)


def test_the_kernel_favours_what_shows_most():
    """A score that is linear is found whatever the weights are, up to ridge's pull."""
    shown = torch.randint(0, 2, (500, 5), generator=torch.Generator().manual_seed(1))
    truth = torch.tensor([3.0, -2.0, 0.0, 1.0, 0.5], dtype=torch.float64)
    assert torch.allclose(ridge(shown, shown.double() @ truth), truth, atol=0.15)
    assert not math.isnan(float(ridge(torch.zeros(3, 2), torch.ones(3)).sum()))
