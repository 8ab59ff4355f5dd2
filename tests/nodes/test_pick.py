"""Select Faces and Pick Faces."""

import json

import pytest
import torch

import factories


@pytest.fixture
def find(nodes, base):
    """The faces in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.fixture
def embed(nodes, base):
    """The identities of some faces."""
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    return lambda image, faces: nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]


@pytest.fixture
def select(nodes):
    return lambda *given, **more: nodes["LikenessSelectFaces"].execute(*given, **more).args[0]


@pytest.fixture
def show(nodes):
    """What Pick Faces gives, and what it shows."""

    def execute(*given, **more):
        result = nodes["LikenessPickFaces"].execute(*given, **more)
        return result.args[0], result.ui

    return execute


@pytest.fixture
def tracked(nodes, find, embed):
    """A clip of two people who change places, its tracked faces, and who they are."""
    both = factories.read_photo("two_people")
    clip = torch.cat([both, both, torch.zeros_like(both), both, both.flip(2), both.flip(2)])
    faces = find(clip)
    result = nodes["LikenessTrackFaces"].execute(clip, faces, embed(clip, faces)).args
    return clip, result[0], result[3]


def swapped(image: torch.Tensor) -> torch.Tensor:
    """Another picture of the same two: mirrored, darker, smaller, with a border."""
    small = torch.nn.functional.interpolate(image.flip(2).movedim(-1, 1), scale_factor=0.8, mode="area")
    return torch.nn.functional.pad(0.85 * small, (40, 10, 30, 5), value=0.3).movedim(1, -1)


@pytest.mark.parametrize(("by", "ids"), [("left", ["astronaut"]), ("right", ["grace_hopper"])])
def test_the_person_asked_for_is_kept_with_her_id(nodes, find, by, ids):
    image = factories.people(2)
    every = find(image)
    kept, count = nodes["LikenessSelectFaces"].execute(every, by, 1).args
    (row,) = (every.id == kept.id).nonzero().flatten().tolist()
    assert count == 1
    assert (kept.bbox[0, 0] < 400) == (ids == ["astronaut"])
    assert torch.equal(every.bbox[row], kept.bbox[0])


@pytest.mark.parametrize("count", [0, 1])
def test_who_is_alone_or_nobody_stays(nodes, find, count):
    faces = find(factories.people(count))
    assert nodes["LikenessSelectFaces"].execute(faces, "size", 1).args[1] == count


def test_the_person_of_a_photo_is_found_in_every_frame_of_a_video(nodes, find, embed):
    both, photo = factories.people(2), factories.read_photo("grace_hopper")
    video = torch.cat([both, both.flip(2), torch.zeros_like(both)])
    faces, reference = find(video), embed(photo, find(photo))
    kept, count = (
        nodes["LikenessSelectFaces"]
        .execute(faces, "similarity", 1, embeddings=embed(video, faces), reference=reference)
        .args
    )
    assert (kept.image_index.tolist(), count) == ([0, 1], 2)
    assert (kept.bbox[:, 0] > 400).tolist() == [True, False]


def test_a_stranger_is_not_kept_when_only_the_same_person_will_do(pack, nodes, find, embed):
    alone, photo = factories.people(1), factories.read_photo("grace_hopper")
    faces, reference = find(alone), embed(photo, find(photo))
    given = {"embeddings": embed(alone, faces), "reference": reference, "same_person": True}
    assert nodes["LikenessSelectFaces"].execute(faces, "size", 1, **given).args[1] == 0
    with pytest.raises(pack.likeness.types.NoFaceError, match="none in the image"):
        nodes["LikenessSelectFaces"].execute(faces, "size", 1, **given, missing="error")


def test_similarity_needs_embeddings(nodes, find):
    with pytest.raises(ValueError, match="embeddings and a reference, got none: connect Embed Faces to both"):
        nodes["LikenessSelectFaces"].execute(find(factories.people(2)), "similarity", 1)


@pytest.mark.parametrize(("by", "left"), [("sharpness", False), ("frontal", False)])
def test_the_sharpest_and_the_one_who_looks_here_are_kept(nodes, find, select, by, left):
    image = factories.read_photo("two_people")
    faces = find(image)
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute("mediapipe_mesh/attention").args
    landmarks = nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args[0]
    pose = nodes["LikenessEstimateHeadPose"].execute(landmarks).args[0]
    turned = pose.yaw.abs() + pose.pitch.abs()
    kept = select(faces, by, 1, image=image, head_pose=pose)
    (row,) = (faces.id == kept.id).nonzero()[0]
    if by == "frontal":
        assert turned[row] == turned.min()
    else:
        assert (kept.bbox[0, 0] < 400) == left
    angle = float(pose.yaw[row])
    near = select(faces, "order", 0, head_pose=pose, yaw_from=angle - 0.1, yaw_to=angle + 0.1)
    assert near.id.tolist() == kept.id.tolist()
    sharp = select(faces, "order", 0, image=image, min_sharpness=0.12)
    assert (sharp.bbox[:, 0] > 400).tolist() == [True]


def test_a_track_is_kept_over_all_frames(tracked, select):
    _, faces, _ = tracked
    first = select(faces, "size", 0, tracks="0")
    assert set(first.track.tolist()) == {0}
    assert first.image_index.tolist() == [0, 1, 2, 3, 4, 5]
    assert select(faces, "track", 1).track.tolist() == [0] * 6
    assert len(select(faces, "track", 0, tracks="0, 1")) == len(faces)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": "sharpness"}, "Expected the image that the faces were found in, got none: connect it"),
        ({"by": "frontal"}, "Expected what frontal is judged by, got nothing: connect head_pose of Estimate Head Pose"),
        ({"by": "track"}, "Expected what track is judged by, got nothing: connect faces from Track Faces"),
        ({"by": "size", "yaw_to": 20.0}, "for a range of yaw, got none: connect head_pose"),
        ({"by": "size", "tracks": "one"}, "Expected tracks by number, for example 0, 2, got 'one'"),
        ({"by": "size", "tracks": "1"}, "Expected tracked faces, got faces without tracks: connect Track Faces first"),
    ],
    ids=str,
)
def test_what_is_lacking_is_named(find, select, given, message):
    faces = find(factories.people(2))
    with pytest.raises(ValueError, match=message):
        select(faces, given.pop("by"), 1, **given)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_everybody_found_is_shown_and_goes_on_until_somebody_is_picked(find, embed, show, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    faces = find(image)
    kept, ui = show(image, faces, embeddings=embed(image, faces))
    assert len(kept) == count * frames
    assert [face["label"] for face in ui["likeness_people"]] == [str(i) for i in range(count)] * frames
    assert all(face["picture"].startswith("data:image/jpeg;base64,") for face in ui["likeness_people"])
    assert [face["where"] for face in ui["likeness_people"][:1]] == (
        [] if not count else ["" if frames == 1 else "image 0"]
    )
    assert ui["likeness_says"] == ([f"Nobody was found in {frames} images."] if not count else [])
    json.dumps(ui)  # travels to the page


def test_a_person_picked_in_one_picture_is_found_in_another(find, embed, show):
    one = factories.read_photo("two_people")
    other = swapped(one)
    faces = find(one)
    _, ui = show(one, faces, embeddings=embed(one, faces))
    for face, box in zip(ui["likeness_people"], faces.bbox, strict=True):
        picked = f"[{face['choice']}]"
        there = find(other)
        kept, again = show(other, there, picked, embed(other, there))
        assert len(kept) == 1
        was_left = box[0] < 400
        assert (kept.bbox[0, 0] < other.shape[2] / 2) == (not was_left)  # the picture is mirrored
        assert [bool(shown["held"]) for shown in again["likeness_people"]] == [
            bool((row == kept.bbox[0]).all()) for row in there.bbox
        ]
        assert len(picked) < 500


def test_who_is_not_there_is_missing_not_another(pack, find, embed, show):
    both, alone = factories.read_photo("two_people"), factories.read_photo("astronaut")
    faces, there = find(both), find(alone)
    _, ui = show(both, faces, embeddings=embed(both, faces))
    hopper = ui["likeness_people"][int(faces.bbox[:, 0].argmax())]["choice"]
    kept, ui = show(alone, there, f"[{hopper}]", embed(alone, there))
    assert (len(kept), ui["likeness_says"]) == (0, ["1 of 1 picked people are not here."])
    with pytest.raises(pack.likeness.types.NoFaceError, match="none in the image"):
        show(alone, there, f"[{hopper}]", embed(alone, there), missing="error")
    assert len(show(alone, there, f"[{hopper}]", embed(alone, there), same_person=False)[0]) == 1


def test_two_picked_people_are_both_kept(find, embed, show):
    image = factories.read_photo("two_people")
    faces = find(image)
    _, ui = show(image, faces, embeddings=embed(image, faces))
    picked = "[" + ",".join(face["choice"] for face in ui["likeness_people"]) + "]"
    assert len(show(image, faces, picked, embed(image, faces))[0]) == 2


def test_a_person_is_followed_through_a_clip(tracked, show):
    clip, faces, known = tracked
    _, ui = show(clip, faces, embeddings=known)
    assert [face["label"] for face in ui["likeness_people"]] == ["0", "1"]
    kept, _ = show(clip, faces, f"[{ui['likeness_people'][1]['choice']}]", known)
    assert kept.track.tolist() == [1] * 6


def test_without_identities_a_track_of_this_clip_is_picked(tracked, show, find):
    clip, faces, _ = tracked
    _, ui = show(clip, faces)
    choice = json.loads(ui["likeness_people"][0]["choice"])
    assert choice.keys() == {"track", "frames", "frame", "box"}
    picked = f"[{ui['likeness_people'][0]['choice']}]"
    assert show(clip, faces, picked)[0].track.tolist() == [0] * 6
    with pytest.raises(ValueError, match=r"Expected the clip of 6 frames whose track 0 was picked.* got another of 4"):
        show(clip[:4], faces.images(0, 4), picked)
    with pytest.raises(ValueError, match="Expected tracked faces, for the choice is track 0, got none: connect Track"):
        show(clip, find(clip), picked)


def test_without_identities_and_tracks_it_says_what_is_needed(find, show):
    image = factories.people(2)
    kept, ui = show(image, find(image))
    assert len(kept) == 2
    assert [face["choice"] for face in ui["likeness_people"]] == ["", ""]
    assert ui["likeness_says"] == [
        "To pick, connect embeddings (Embed Faces): a person is then found in any picture. Or connect faces from Track "
        "Faces: then in this clip."
    ]


def test_a_choice_that_cannot_be_read_or_used_is_refused(find, embed, show):
    image = factories.people(2)
    faces = find(image)
    known = embed(image, faces)
    for text in ("Grace", "{}", '[{"name": "Grace"}]', "[1]"):
        with pytest.raises(ValueError, match=r"Expected a list of picked people, got .*: clear the choice"):
            show(image, faces, text, known)
    picked = f"[{show(image, faces, embeddings=known)[1]['likeness_people'][0]['choice']}]"
    with pytest.raises(ValueError, match=r"Expected embeddings of these faces, .* an identity of dlib.*: connect"):
        show(image, faces, picked)
    with pytest.raises(ValueError, match="two embeddings of one space"):
        show(image, faces, picked.replace("dlib", "arcface"), known)
    with pytest.raises(ValueError, match="an identity in base64, got a damaged one"):
        show(image, faces, picked[:-5] + '!"}]', known)


def test_many_faces_are_not_all_shown(find, show, nodes):
    image = torch.full((1, 64, 1300, 3), 0.5)
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "\n".join(f"{40 * i} 4 30 30" for i in range(30))).args
    _, ui = show(image, faces)
    assert len(ui["likeness_people"]) == 24
    assert "6 more are not shown: connect Track Faces." in ui["likeness_says"]
