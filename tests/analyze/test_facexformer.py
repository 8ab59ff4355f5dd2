"""FaceXFormer against its authors' code on seeded weights, and its conventions against ours."""

from pathlib import Path

import pytest
import torch

import factories
import golden
import seeding
from likeness import analyze, landmark, parse
from likeness.analyze.facexformer import (
    CLASSES,
    DEVIATION,
    MEAN,
    SETS,
    FaceXFormer,
    Heads,
    crop,
    crop_matrix,
    crop_windows,
    hparams,
    to_attributes,
    to_head_pose,
    to_landmarks,
    to_parsing,
)
from likeness.landmark.procrustes import angles_to_rotation
from likeness.parse import to_mask
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/facexformer"
GOLDEN = CHECKPOINT / "facexformer.small.json"
# Of the golden, in pixels from the picture's corner: inside, over two borders, small, all but outside.
BOXES = ((100.3, 60.7, 220.9, 231.2), (-30.2, 150.5, 95.4, 290.0), (180.6, 90.2, 188.6, 98.9), (380.0, 280.0, 420, 330))
FACE = torch.tensor([[178.5, 62.5, 269.5, 173.5]])  # the astronaut's


@pytest.fixture(scope="module")
def network():
    return golden.network(CHECKPOINT / "facexformer.small.tsv", analyze.SYSTEMS)


def faces(box: torch.Tensor, size: tuple[int, int], images: int = 1) -> Faces:
    count = len(box)
    index = torch.arange(count)
    return Faces(size, images, index, index % images, box, torch.ones(count))


def heads(**given: torch.Tensor) -> Heads:
    """What a network would give for one face, nothing but what is given."""
    sizes = {"landmarks": (136,), "pose": (3,), "attributes": (40,), "visibility": (29,), "age": (8,), "gender": (2,)}
    sizes |= {"race": (5,), "masks": (11, 224, 224)}
    return Heads(**{name: given.get(name, torch.zeros(size))[None] for name, size in sizes.items()})


def test_all_heads_are_the_authors(network):
    given = network(seeding.noise("crops", torch.Size([1, 3, 224, 224])).float() * 2)
    for name, head in given._asdict().items():
        assert golden.difference(GOLDEN, name, head) < 1e-4, name


def test_the_whole_network_has_the_authors_tensors():
    layout, _ = seeding.read_layout(CHECKPOINT / "facexformer.tsv")
    build(layout, analyze.SYSTEMS)
    assert hparams(layout) == {
        "embed": 128,
        "depths": (2, 2, 18, 2),
        "heads": (4, 8, 16, 32),
        "width": 256,
        "hidden": 2048,
        "layers": 2,
    }


def test_crops_are_the_authors():
    """Theirs are rounded to whole numbers of 255 twice; where a picture's contrast is full, they are cut off twice."""
    picture = (seeding.noise("picture", torch.Size([300, 400, 3])) * 32 + 128).round().float()[None] / 255
    found = faces(torch.tensor(BOXES) - 0.5, (300, 400))
    crops = crop(picture, found.image_index, crop_windows(found))
    grey = 1 / 255 / DEVIATION.min()
    for number, one in enumerate(crops):
        off = golden.difference(GOLDEN, f"crop{number}", one)
        assert off < 1.3 * grey / one.std(), number


def test_a_crop_lies_where_it_was_cut():
    """Points of a crop, as the authors count them, come back to their place in the picture, stretched crop or not."""
    found = faces(torch.tensor(BOXES) - 0.5, (300, 400))
    windows = crop_windows(found)
    points = seeding.noise("points", torch.Size([1, 68, 2])).float()
    shares = points.expand(4, 68, 2).reshape(4, 136)
    whole = faces(torch.tensor([[37.5, 37.5, 186.5, 186.5]]), (400, 400))  # whose crop is not resized
    exact = to_landmarks(whole, points.reshape(1, 136), crop_matrix(crop_windows(whole))).points
    assert crop_windows(whole).tolist() == [[0, 0, 224, 224]]
    assert golden.difference(GOLDEN, "places", exact) < 1e-4
    got = to_landmarks(found, shares, crop_matrix(windows)).points
    first, last = windows.reshape(-1, 1, 2, 2).unbind(2)
    torch.testing.assert_close(got, first + (points + 1) / 2 * (last - first) - 0.5, atol=1e-3, rtol=0)


def test_labels_keep_their_published_order():
    order = {group.name: group.labels for group in SETS}
    assert list(order) == ["celeba40", "visibility29", "age", "gender", "race"]
    known = {"5_o_Clock_Shadow": 0, "Black_Hair": 8, "Male": 20, "Smiling": 31, "Young": 39}
    assert {name: order["celeba40"].index(name) for name in known} == known
    assert order["celeba40"] == tuple(sorted(order["celeba40"]))  # CelebA's own order is the alphabet's
    assert (len(order["celeba40"]), len(order["visibility29"])) == (40, 29)
    assert order["age"] == ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
    assert order["gender"] == ("Male", "Female")
    assert order["race"] == ("White", "Black", "Indian", "Asian", "Others")


def test_each_head_fills_its_own_set():
    one = faces(FACE, (512, 512))
    for name, group in (("attributes", "celeba40"), ("age", "age"), ("gender", "gender"), ("race", "race")):
        size = getattr(heads(), name).shape[1]
        for number in (0, size - 1):
            told = to_attributes(one, heads(**{name: torch.full((size,), -9.0).index_fill(0, torch.tensor(number), 9)}))
            assert told.of(group)[0].argmax() == number
            assert told.of(group)[0, number] > 0.99
    assert torch.allclose(told.of("age").sum(), torch.tensor(1.0))
    hidden = to_attributes(one, heads(visibility=torch.tensor([9.0] + [-9.0] * 28)))  # theirs: 1 is hidden
    assert hidden.of("visibility29")[0, 0] < 0.01
    assert hidden.of("visibility29")[0, 1:].min() > 0.99


def test_left_and_right_are_the_images():
    """A lopsided face in the authors' numbers: the eye of number 4 is yellow in their figure, on the image's left."""
    masks = torch.zeros(11, 224, 224)
    masks[1] = 1
    masks[2, 60:70, 40:90], masks[4, 80:100, 50:80] = 3, 3  # brow and eye to the left
    masks[5, 90:120, 130:180] = 3  # a larger eye to the right, lower
    masks[7, 150:160, 90:130], masks[8, 160:170, 90:130], masks[9, 170:185, 90:130] = 3, 3, 3
    one = faces(torch.tensor([[99.5, 49.5, 199.5, 149.5]]), (200, 300))
    parsing = to_parsing(one, masks.softmax(0)[None].half(), crop_matrix(crop_windows(one)))
    assert set(CLASSES) <= set(parse.CLASSES)
    places = {}
    for name in ("left_brow", "left_eye", "right_eye", "upper_lip", "mouth", "lower_lip"):
        rows, columns = (to_mask(parsing, name)[0] > 0.3).nonzero().float().mean(0).tolist()
        places[name] = (columns, rows)
    assert places["left_eye"][0] < 150 < places["right_eye"][0]
    assert places["left_brow"][0] < 150
    assert places["left_brow"][1] < places["left_eye"][1] < places["right_eye"][1]
    assert places["upper_lip"][1] < places["mouth"][1] < places["lower_lip"][1]
    assert not (to_mask(parsing, "right_brow") > 0.3).any()
    assert to_mask(parsing, "all")[0, :24].max() == 0  # outside the crop nothing is known


def test_a_mirrored_head_turns_the_other_way():
    """In 300W-LP a mirrored picture has the negated yaw and roll; the boy of the authors' figure looks to the right."""
    triples = seeding.noise("pose", torch.Size([20, 3])).float() * 1.2
    two = faces(FACE.expand(20, 4), (512, 512))
    seen, mirrored = to_head_pose(two, triples), to_head_pose(two, triples * torch.tensor([1.0, -1, -1]))
    torch.testing.assert_close(mirrored.pitch, seen.pitch, atol=1e-3, rtol=0)
    torch.testing.assert_close(mirrored.yaw, -seen.yaw, atol=1e-3, rtol=0)
    torch.testing.assert_close(mirrored.roll, -seen.roll, atol=1e-3, rtol=0)
    boy = to_head_pose(faces(FACE, (512, 512)), torch.tensor([[-13.0, -32, 3.5]]).deg2rad())  # measured on his axes
    assert boy.yaw.item() > 25
    assert boy.pitch.item() < -8
    assert boy.roll.item() == pytest.approx(-4, abs=0.5)  # his eyes' line, which the authors' axes do not show


@pytest.mark.parametrize("raw", [(0.3, 0, 0), (0, 0.3, 0), (0, 0, 0.3)])
def test_one_angle_alone_is_that_angle_in_degrees(raw):
    pose = to_head_pose(faces(FACE, (512, 512)), torch.tensor([raw]))
    expected = torch.tensor(raw).rad2deg() * torch.tensor([1.0, -1, 1])
    torch.testing.assert_close(torch.cat([pose.pitch, pose.yaw, pose.roll]), expected, atol=1e-3, rtol=0)


def test_the_nose_points_where_the_authors_draw_it_mirrored():
    """Their axis out of the face ends at sin(yaw), -cos(yaw) sin(pitch); with 300W-LP's yaw it has to be mirrored."""
    pitch, yaw, roll = triple = torch.tensor([0.3, 0.5, -0.2])
    pose = to_head_pose(faces(FACE, (512, 512)), triple[None])
    nose = angles_to_rotation(pose.yaw, pose.pitch, pose.roll)[0, :, 2]
    torch.testing.assert_close(nose[:2], torch.stack([-yaw.sin(), yaw.cos() * pitch.sin()]), atol=1e-5, rtol=0)
    across = angles_to_rotation(pose.yaw, pose.pitch, pose.roll)[0, :, 0]
    assert across[1].item() == pytest.approx(
        -float(pitch.cos() * roll.sin() - roll.cos() * pitch.sin() * yaw.sin()), abs=1e-5
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_one_look_tells_everything_of_every_face(network, count):
    image = factories.read_photo("astronaut").expand(2, -1, -1, -1)
    found = faces(FACE.repeat(count, 1), (512, 512), 2)
    analysis = network.analyze(image, found)
    assert len(analysis) == len(analysis.attributes) == len(analysis.landmarks) == len(analysis.parsing) == count
    assert analysis.attributes.probability.shape == (count, 40 + 29 + 8 + 2 + 5)
    assert analysis.landmarks.points.shape == (count, 68, 2)
    assert analysis.parsing.labels.shape == (count, 224, 224)
    if count:
        assert 0 <= analysis.attributes.probability.min() < analysis.attributes.probability.max() <= 1
        torch.testing.assert_close(network.landmarks(image, found).points, analysis.landmarks.points)
        assert torch.equal(network.parse(image, found).labels, analysis.parsing.labels)


def test_faces_at_the_border_and_of_eight_pixels_are_looked_at(network):
    image = factories.read_photo("astronaut")
    boxes = torch.tensor([[-40.0, -30, 60, 70], [300, 300, 308, 308], [600, 600, 700, 700], [3, 3, 3, 3]])
    analysis = network.analyze(image, faces(boxes, (512, 512)))
    assert bool(analysis.attributes.probability.isfinite().all())
    assert bool(analysis.landmarks.points.isfinite().all())
    windows = crop_windows(faces(boxes, (512, 512)))
    assert windows.tolist() == [[0, 0, 85, 95], [298, 298, 310, 310], [511, 511, 512, 512], [3, 3, 4, 4]]


def test_thirty_faces_are_looked_at():
    torch.manual_seed(0)
    network = FaceXFormer(16, (1, 1, 1, 1), (1, 1, 1, 1), 32, 64, 1).eval().requires_grad_(False)
    image = factories.read_photo("astronaut")
    boxes = torch.tensor([[16.0 * i, 300 - 10 * i, 16 * i + 8, 308 - 10 * i] for i in range(30)])
    analysis = network.analyze(image, faces(boxes, (512, 512)))
    assert len(analysis) == len(analysis.parsing) == 30
    one = network.analyze(image, faces(boxes[7:8], (512, 512)))
    torch.testing.assert_close(analysis.attributes.probability[7], one.attributes.probability[0])
    torch.testing.assert_close(analysis.landmarks.points[7], one.landmarks.points[0])


def test_channels_are_red_green_blue(network):
    """A pure red picture is red to the network, not blue."""
    red, blue = (torch.zeros(1, 64, 64, 3).index_fill(3, torch.tensor(channel), 1.0) for channel in (0, 2))
    one = faces(torch.tensor([[16.0, 16, 48, 48]]), (64, 64))
    for image in (red, blue):
        bare = network(((image[:, :1, :1].expand(1, 224, 224, 3) - MEAN) / DEVIATION).movedim(-1, 1))
        torch.testing.assert_close(network.look(image, one)[0].age, bare.age, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(network.look(red, one)[0].age, network.look(blue, one)[0].age, atol=1e-2)


def test_one_system_serves_three_tasks():
    system = analyze.SYSTEMS[0]
    assert system in parse.SYSTEMS
    assert system in landmark.SYSTEMS
    with pytest.raises(UnsupportedCheckpointError, match=r"Not a checkpoint of facexformer, .*: it holds 1 tensors"):
        build({"conv1.weight": torch.zeros(1)}, analyze.SYSTEMS)
