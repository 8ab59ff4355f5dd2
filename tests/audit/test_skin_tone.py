"""The typology angle: on colours whose angle is known, and what is said against it."""

import math

import numpy as np
import pytest
import torch

from likeness.audit.skin_tone import bucket, measure

# L, a, b of CIE Lab; the angle is arctan((L - 50) / b).
COLOURS = {"light": (70, 12, 20), "intermediate": (62, 14, 18), "brown": (40, 14, 20), "dark": (25, 10, 12)}


def paint(lab: tuple[float, float, float]) -> torch.Tensor:
    """(1, 32, 32, 3) of one colour."""
    from kornia.color import lab_to_rgb

    return lab_to_rgb(torch.tensor(lab).float().reshape(1, 3, 1, 1)).movedim(1, -1).expand(1, 32, 32, 3)


@pytest.mark.parametrize("name", COLOURS)
def test_the_angle_of_a_colour_is_its_formula(name):
    light, _, yellow = COLOURS[name]
    table = measure(paint(COLOURS[name]), torch.ones(1, 32, 32))
    assert table["ita"][0] == pytest.approx(math.degrees(math.atan((light - 50) / yellow)), abs=0.05)
    assert table["bucket"][0] == name
    assert table["pixels"][0] == 1024


def test_skimage_gives_the_same_angle():
    colour = pytest.importorskip("skimage.color")
    image = torch.rand(1, 24, 24, 3, generator=torch.Generator().manual_seed(0)) * 0.2 + torch.tensor([0.6, 0.45, 0.35])
    lab = colour.rgb2lab(image[0].double().numpy())
    light, yellow = np.median(lab[..., 0]), np.median(lab[..., 2])
    found = measure(image, torch.ones(1, 24, 24))["ita"][0]
    assert found == pytest.approx(math.degrees(math.atan2(light - 50, yellow)), abs=0.05)


def test_only_the_mask_counts():
    image = torch.cat([paint(COLOURS["light"]), paint(COLOURS["dark"])], 2)
    mask = torch.zeros(1, 32, 64)
    mask[..., :32] = 1
    assert measure(image, mask)["bucket"][0] == "light"


def test_what_speaks_against_an_angle_is_said():
    blue, burnt = torch.tensor([0.2, 0.3, 0.8]).expand(1, 32, 32, 3), torch.ones(1, 32, 32, 3)
    none = torch.zeros(1, 32, 32)
    assert "not the colour of skin" in measure(blue, torch.ones(1, 32, 32))["caution"][0]
    assert "burnt out" in measure(burnt, torch.ones(1, 32, 32))["caution"][0]
    (row,) = measure(blue, none).rows()
    assert row[1:3] == (0, None)
    assert row[-1] == "fewer than 64 pixels of skin"
    assert len(measure(torch.zeros(0, 8, 8, 3), torch.zeros(1, 8, 8))) == 0


def test_buckets_begin_where_they_were_published():
    assert [bucket(degrees) for degrees in (56, 55, 41, 28, 10, -30, -31)] == [
        "very light", "light", "intermediate", "tan", "brown", "dark", "dark",
    ]  # fmt: skip


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"a mask of \(1, 32, 32\).*got \(1, 8, 8\)"):
        measure(torch.zeros(1, 32, 32, 3), torch.ones(1, 8, 8))
