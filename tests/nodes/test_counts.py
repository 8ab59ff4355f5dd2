"""What every node gives for a picture or a video of nobody, of one person, of two."""

import itertools
from pathlib import Path

import pytest
import torch

import factories

HERE = Path(__file__).parent
LOADED = {
    "Detector": "yunet/2023mar",
    "Embedder": "dlib_resnet/v1",
    "Landmarker": "mediapipe_mesh/attention",
    "Parser": "mesh_regions/attention",
}
every_crowd = pytest.mark.parametrize(("count", "frames"), list(itertools.product((0, 1, 2), (1, 3))))


class Crowd:
    """So many people in so many frames, and a node's way to be run on them."""

    def __init__(self, nodes, count: int, frames: int) -> None:
        self.nodes, self.count, self.frames, self.rows = nodes, count, frames, count * frames
        self.image = factories.people(count)[:, ::2, ::2].repeat(frames, 1, 1, 1)
        self.faces, self.boxes, self.found = self.run("DetectFaces", self.load("Detector"), self.image, 0.7)

    def load(self, what: str):
        (loader,) = [name for name in self.nodes if name.startswith("LikenessLoad") and name.endswith(what)]
        return self.nodes[loader].execute(LOADED[what]).args[0]

    def run(self, node: str, *given, **more):
        with torch.inference_mode():
            return self.nodes[f"Likeness{node}"].execute(*given, **more).args

    @property
    def video(self):
        from comfy_api.latest import InputImpl, Types

        return InputImpl.VideoFromComponents(Types.VideoComponents(self.image, 25))


@pytest.fixture
def crowd(nodes, base, count, frames):
    return Crowd(nodes, count, frames)


@every_crowd
def test_faces_are_found_named_chosen_and_drawn(crowd):
    assert (len(crowd.faces), crowd.found) == (crowd.rows, crowd.rows)
    assert [len(boxes) for boxes in crowd.boxes] == [crowd.count] * crowd.frames
    (again,) = crowd.run("FacesFromBoxes", crowd.image, crowd.boxes)
    assert torch.equal(again.bbox, crowd.faces.bbox)
    kept, count = crowd.run("SelectFaces", crowd.faces, "left", 1)
    assert len(kept) == count == min(crowd.count, 1) * crowd.frames
    (drawn,) = crowd.run("DrawFaces", crowd.image, crowd.faces, True, True, True)
    assert (drawn != crowd.image).flatten(1).any(1).tolist() == [crowd.count > 0] * crowd.frames


@every_crowd
def test_faces_are_cut_and_pasted(crowd):
    crops, alignment, *_ = crowd.run("AlignFaces", crowd.image, crowd.faces, 64, "dlib")
    assert crops.shape == (crowd.rows, 64, 64, 3)
    (pasted,) = crowd.run("PasteFaces", crowd.image, 1 - crops, alignment)
    assert (pasted != crowd.image).flatten(1).any(1).tolist() == [crowd.count > 0] * crowd.frames


@every_crowd
def test_identities_are_compared_where_there_are_any(crowd, pack):
    (known,) = crowd.run("EmbedFaces", crowd.load("Embedder"), crowd.image, crowd.faces)
    assert len(known) == crowd.rows
    if not crowd.rows:
        with pytest.raises(pack.likeness.types.NoFaceError, match="Expected a face on both sides, got 0 and 0"):
            crowd.run("CompareFaces", known, known)
        return
    _, distance, same, table, distances = crowd.run("CompareFaces", known, known)
    assert (round(distance, 2), same) == (0, True)
    for text in (table, distances):
        assert [len(line.split()) for line in text.splitlines()] == [crowd.rows] * crowd.rows


@every_crowd
def test_tracks_are_followed_and_steadied(crowd):
    tracked, count, summary, *_ = crowd.run("TrackFaces", crowd.image, crowd.faces)
    assert (len(tracked), count) == (crowd.rows, crowd.count)
    assert len(summary.splitlines()) == max(crowd.count, 1)
    for mode in ("zero phase", "causal"):
        steady, *_ = crowd.run("SmoothFaces", tracked, mode)
        torch.testing.assert_close(steady.bbox, tracked.bbox, atol=0.1, rtol=0)  # nobody moves


@every_crowd
def test_landmarks_and_angles_are_as_many_as_the_faces(crowd, pack):
    landmarks, core, keypoints, faces = crowd.run("FindLandmarks", crowd.load("Landmarker"), crowd.image, crowd.faces)
    assert len(landmarks) == len(faces) == crowd.rows
    assert [len(frame) for frame in core["frames"]] == [crowd.count] * crowd.frames
    assert [len(frame["people"]) for frame in keypoints] == [crowd.count] * crowd.frames
    pose, *_, table = crowd.run("EstimateHeadPose", landmarks, missing="skip")
    assert len(pose) == len(table.splitlines()) - 1 == crowd.rows


@every_crowd
def test_masks_are_as_many_as_the_images(crowd):
    mask, parsing = crowd.run("ParseFaces", crowd.load("Parser"), crowd.image, "face", crowd.faces)
    (lips,) = crowd.run("ParsingToMask", parsing, "lips, mouth")
    (grown,) = crowd.run("RefineMask", lips, 3.0, 2.0)
    shown = [crowd.count > 0] * crowd.frames
    for made in (mask, lips, grown):
        assert made.shape == crowd.image.shape[:3]
        assert (made.flatten(1).amax(1) > 0.9).tolist() == shown
    assert (grown.sum((1, 2)) > lips.sum((1, 2))).tolist() == shown


@every_crowd
def test_a_video_is_tracked_cut_and_pasted(crowd, pack):
    faces, _, count, _ = crowd.run("TrackVideo", crowd.video, crowd.load("Detector"))
    assert (len(faces), count) == (crowd.rows, crowd.count)
    cut = crowd.video, faces, 64, "ffhq"
    if crowd.count == 0:
        with pytest.raises(pack.likeness.types.NoFaceError, match="Expected a face"):
            crowd.run("CropVideo", *cut)
    elif crowd.count == 2:
        with pytest.raises(ValueError, match=f"one face in a frame, got {crowd.rows} faces in {crowd.frames} frames"):
            crowd.run("CropVideo", *cut)
    else:
        crops, alignment, *_ = crowd.run("CropVideo", *cut)
        assert crops.get_components().images.shape == (crowd.frames, 64, 64, 3)
        (back,) = crowd.run("PasteVideo", crowd.video, crops, alignment)
        assert back.get_components().images.shape == crowd.image.shape


def test_no_node_goes_untested(nodes):
    """Heads, renderings, moved and swapped faces have their counts in their own files."""
    text = "".join(path.read_text() for path in HERE.glob("*.py"))
    assert not [name for name in nodes if name not in text and f'"{name.removeprefix("Likeness")}"' not in text]
