"""Curate Faces and Save Face Set: sharp, of one person, from many sides, none twice; pictures with their captions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import factories
from headless import standalone

BOX = {"astronaut": "179 63 91 111", "grace_hopper": "210 125 120 170"}


@pytest.fixture
def album(nodes, base):
    """Six pictures of 512 x 512 with a face each: sharp, blurred, brighter, mirrored, small, and of someone else."""
    from torch.nn.functional import avg_pool2d, interpolate

    first, second = (factories.read_photo(name)[:, :512] for name in BOX)
    planes = first.movedim(-1, 1)
    soft = interpolate(avg_pool2d(planes, 4), (512, 512), mode="bilinear").movedim(1, -1)
    small = torch.full_like(first, 0.5)
    small[:, :128, :128] = avg_pool2d(planes, 4).movedim(1, -1)
    image = torch.cat([first, soft, (first * 1.1).clamp(0, 1), first.flip(2), small, second])
    boxes = ["179 63 91 111"] * 3 + ["242 63 91 111", "44 15 23 28", BOX["grace_hopper"]]
    make = nodes["LikenessFacesFromBoxes"].execute
    rows = [make(image[i : i + 1], text).args[0] for i, text in enumerate(boxes)]
    return image, rows


@pytest.fixture
def curate(nodes, pack, album):
    image, rows = album
    faces = pack.likeness.value.cat(rows)
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    with torch.inference_mode():
        (known,) = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args

    def execute(count=20, **more):
        return nodes["LikenessCurateFaces"].execute(image, faces, count, smallest=60, **more).args

    execute.known, execute.faces, execute.image = known, faces, image
    return execute


def test_small_faces_and_those_seen_already_are_left_out(curate):
    faces, _, _, report = curate()
    lines = [line.split(", ")[-1] for line in report.splitlines()]
    assert lines[4].startswith("too small")
    assert lines[:3].count("seen already") == 2
    assert faces.image_index.tolist()[-1] == 5


def test_strangers_are_left_out_where_it_is_known_who_is_who(curate):
    faces, _, _, report = curate(embeddings=curate.known)
    assert report.splitlines()[5].endswith("someone else")
    assert 5 not in faces.image_index.tolist()


def test_of_twins_the_sharpest_stays(curate):
    faces, _, _, report = curate()
    sharpness = [float(line.split("sharpness ")[1].split(",")[0]) for line in report.splitlines()]
    assert sharpness[1] < 0.6 * sharpness[0]
    assert 1 not in faces.image_index.tolist()


def test_views_are_spread_and_captions_say_where_a_head_looks(curate, pack):
    types = pack.likeness.types
    yaw = torch.tensor([0.0, 0, 0, 40, 0, -40])
    pose = types.HeadPose(curate.faces, yaw, torch.zeros(6), torch.zeros(6))
    faces, captions, _, _ = curate(count=3, head_pose=pose, caption="photo of xyz")
    assert len(faces) == 3
    assert captions.splitlines()[1:] == [
        "photo of xyz, head turned to the right",
        "photo of xyz, head turned to the left",
    ]


def test_the_sheet_shows_every_face(curate):
    sheet = curate()[2]
    assert sheet.shape == (1, 2 * 128, 3 * 128, 3)
    assert sheet[0, :128, :128].mean() > 0.2


def test_nobody_is_an_error(nodes, pack, base):
    image = factories.people(0)
    (nobody,) = nodes["LikenessFacesFromBoxes"].execute(image, "").args
    with pytest.raises(pack.likeness.types.NoFaceError, match="Expected faces to choose from, got none"):
        nodes["LikenessCurateFaces"].execute(image, nobody, 5)


def test_each_picture_lies_beside_its_caption_and_numbers_go_on(base):
    nodes = standalone.start(base).nodes
    images = torch.stack([factories.photo(16, 16, seed) for seed in range(2)])
    for turn in range(2):
        result = nodes["LikenessSaveFaceSet"].execute(images, "one\ntwo", "set/face")
        assert [shown["filename"] for shown in result.ui["images"]] == [
            f"face_{2 * turn + n + 1:05}_.png" for n in range(2)
        ]
    folder = Path(result.args[0])
    assert [path.name for path in sorted(folder.glob("*.txt"))] == [f"face_0000{n}_.txt" for n in (1, 2, 3, 4)]
    assert (folder / "face_00004_.txt").read_text() == "two\n"
    saved = np.asarray(Image.open(folder / "face_00002_.png")) / 255
    assert np.abs(saved - images[1].numpy()).max() < 0.003


def test_captions_of_another_number_are_refused_and_nothing_is_written(base):
    nodes = standalone.start(base).nodes
    with pytest.raises(ValueError, match="Expected 1 caption or 3, one per picture, got 2"):
        nodes["LikenessSaveFaceSet"].execute(torch.zeros(3, 16, 16, 3), "one\ntwo", "set/face")
    assert not (base / "output/set").exists()
