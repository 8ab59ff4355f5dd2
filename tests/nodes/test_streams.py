"""Videos in, videos out, on a clip of the astronaut who moves through the picture."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

import factories

FRAMES = 24


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A clip of 24 frames in which the astronaut drifts, is hidden for 3 frames, and is seen again."""
    target = tmp_path_factory.mktemp("clips") / "astronaut.mp4"
    photo = factories.read_photo("astronaut")[0, 0:320, 60:400]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 400, 320, "yuv420p"
        for number in range(FRAMES):
            frame = torch.full((320, 400, 3), 0.5)
            frame[:, number * 2 : number * 2 + 340] = photo
            if number in (10, 11, 12):
                frame[40:200, 100:260] = 0.5
            picture = av.VideoFrame.from_ndarray((frame.numpy() * 255).astype(np.uint8))
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return target


@pytest.fixture
def clip(pack, path, base):
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path))


@pytest.fixture
def tracked(nodes, clip):
    detector = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args[0]
    embedder = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args[0]
    return nodes["LikenessTrackVideo"].execute(clip, detector, embedder).args


def pixels(video) -> torch.Tensor:
    return video.get_components().images


def test_one_person_is_one_track_and_her_gap_is_bridged(tracked):
    faces, embeddings, count, summary = tracked
    assert count == 1
    assert len(faces) == len(embeddings) == FRAMES
    assert summary == "track 0: frames 0 to 23, 24 faces, 3 bridged"
    assert faces.image_index[faces.score == 0].tolist() == [10, 11, 12]


def test_crops_that_come_back_unchanged_change_little(nodes, clip, tracked):
    crops, alignment, _ = nodes["LikenessCropVideo"].execute(clip, tracked[0], 256, "ffhq").args
    assert pixels(crops).shape == (FRAMES, 256, 256, 3)
    result = nodes["LikenessPasteVideo"].execute(clip, crops, alignment, crf=4.0).args[0]
    error = (pixels(result) - pixels(clip)).square().mean()
    assert -10 * error.log10() > 36


def test_inverted_crops_are_seen_where_the_face_is_and_nowhere_else(nodes, clip, tracked):
    from comfy_api.latest import InputImpl, Types

    crops, alignment, _ = nodes["LikenessCropVideo"].execute(clip, tracked[0], 128, "arcface112").args
    parts = crops.get_components()
    inverted = InputImpl.VideoFromComponents(Types.VideoComponents(1 - parts.images, parts.frame_rate))
    result = nodes["LikenessPasteVideo"].execute(clip, inverted, alignment, crf=4.0).args[0]
    changed = (pixels(result) - pixels(clip)).abs().mean(-1)
    box = tracked[0].bbox[5].int().tolist()
    assert changed[5, box[1] + 30 : box[3] - 30, box[0] + 20 : box[2] - 20].mean() > 0.2
    assert changed[5, :, -60:].mean() < 0.02


def test_frames_without_the_person_can_be_left_out(nodes, clip):
    detector = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args[0]
    faces = nodes["LikenessTrackVideo"].execute(clip, detector, bridge=0).args[0]
    crops, alignment, _ = nodes["LikenessCropVideo"].execute(clip, faces, 64, "ffhq", missing="skip").args
    assert len(pixels(crops)) == len(alignment) == FRAMES - 3
    with pytest.raises(ValueError, match="images 10 to 12 of 24"):
        nodes["LikenessCropVideo"].execute(clip, faces, 64, "ffhq", missing="error")


def test_other_videos_are_refused(nodes, clip, tracked, pack):
    from comfy_api.latest import InputImpl, Types

    alignment = nodes["LikenessCropVideo"].execute(clip, tracked[0], 64, "ffhq").args[1]
    parts = clip.get_components()
    shorter = InputImpl.VideoFromComponents(Types.VideoComponents(parts.images[:7], parts.frame_rate))
    with pytest.raises(ValueError, match="this video's 7 frames, got faces of 24"):
        nodes["LikenessCropVideo"].execute(shorter, tracked[0], 64, "ffhq")
    with pytest.raises(ValueError, match="Expected 24 crops, one per face that was cut, got a video of 7 frames"):
        nodes["LikenessPasteVideo"].execute(clip, shorter, alignment)
    twice = pack.likeness.value.cat([tracked[0], tracked[0]])
    with pytest.raises(ValueError, match="of this video's 24 frames, got faces of 48"):
        nodes["LikenessCropVideo"].execute(clip, twice, 64, "ffhq")


def test_nothing_is_left_in_the_temp_folder_when_a_stream_fails(nodes, clip, tracked, pack):
    import folder_paths
    from comfy_api.latest import InputImpl, Types

    temp = Path(folder_paths.get_temp_directory())
    _, alignment, _ = nodes["LikenessCropVideo"].execute(clip, tracked[0], 64, "ffhq").args
    before = {file.name for file in temp.iterdir()}
    parts = clip.get_components()
    shorter = InputImpl.VideoFromComponents(Types.VideoComponents(parts.images[:7], parts.frame_rate))
    with pytest.raises(ValueError, match="Expected 24 crops"):
        nodes["LikenessPasteVideo"].execute(clip, shorter, alignment)
    assert {file.name for file in temp.iterdir()} == before
