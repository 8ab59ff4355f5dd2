"""The stand-ins by themselves; tests/host proves that ComfyUI's own do the same."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

import factories

EXIF_ORIENTATION = 274


@pytest.fixture
def session(pack, base):
    from headless import standalone

    return standalone.start(base)


@pytest.fixture
def load(session, base):
    """LoadImage's IMAGE and MASK of a picture that is first saved."""

    def read(picture: Image.Image, name: str, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
        picture.save(base / "input" / name, **options)
        return session.nodes["LoadImage"].execute(image=name).args

    return read


def gradient(width: int, height: int) -> np.ndarray:
    return (255 * factories.photo(height, width, seed=1).numpy()).astype(np.uint8)


def test_a_picture_is_loaded_as_it_was_saved(load):
    pixels = gradient(37, 21)
    image, mask = load(Image.fromarray(pixels), "a.png")
    torch.testing.assert_close(image[0], torch.from_numpy(pixels) / 255)
    assert (mask.shape, mask.max()) == ((1, 64, 64), 0)


def test_alpha_becomes_a_mask(load):
    alpha = np.full((21, 37, 1), 64, np.uint8)
    _, mask = load(Image.fromarray(np.concatenate([gradient(37, 21), alpha], 2)), "a.png")
    torch.testing.assert_close(mask, torch.full((1, 21, 37), 1 - 64 / 255))


def test_sixteen_bits_are_kept(load):
    levels = np.arange(1000, 1064, dtype=np.uint16)
    image, _ = load(Image.fromarray(np.tile(levels, (21, 1))), "a.png")
    torch.testing.assert_close(image[0, 0, :, 0], torch.from_numpy(levels) / 65535, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("mode", "tolerance"), [("P", 0.001), ("L", 0.004), ("LA", 0.004)])
def test_other_kinds_of_picture_are_rgb(load, mode, tolerance):
    picture = Image.fromarray(gradient(37, 21)).convert(mode)
    image, _ = load(picture, "a.png")
    expected = torch.from_numpy(np.array(picture.convert("RGB"))) / 255
    torch.testing.assert_close(image[0], expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_photo_taken_sideways_is_turned_upright(load, orientation, turns):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    pixels = gradient(64, 48)
    image, _ = load(Image.fromarray(pixels), "a.jpg", exif=exif, quality=98, subsampling=0)
    expected = torch.from_numpy(np.rot90(pixels, turns).copy()) / 255
    torch.testing.assert_close(image[0], expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_a_batch(load, suffix):
    frames = [Image.fromarray(np.full((16, 16, 3), shade, np.uint8)) for shade in (0, 128, 255)]
    image, _ = load(frames[0], f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    torch.testing.assert_close(image.mean((1, 2, 3)), torch.tensor([0, 128 / 255, 1]), atol=0.01, rtol=0)


@pytest.fixture
def clip() -> torch.Tensor:
    """(B, H, W, C) ten frames of a light that wanders; the width is no multiple of 32."""
    x = torch.arange(90.0)
    rows = torch.stack([torch.exp(-(((x - 8 * t - 9) / 20) ** 2)) for t in range(10)])
    return rows[:, None, :, None].expand(10, 60, 90, 3) * torch.tensor([1.0, 0.6, 0.3])


def test_a_video_comes_back_with_its_rate_and_sound(session, base, clip):
    sound = {"waveform": torch.sin(torch.arange(48000) * 0.05)[None, None].expand(1, 2, -1), "sample_rate": 48000}
    (video,) = session.nodes["CreateVideo"].execute(clip, 29.97, sound).args
    shown = session.nodes["SaveVideo"].execute(video, "clips/mine", {"format": "mp4", "codec": {"codec": "auto"}}).ui
    assert shown["images"] == [{"filename": "mine_00001_.mp4", "subfolder": "clips", "type": "output"}]
    path = base / "output/clips/mine_00001_.mp4"
    with av.open(str(path)) as container:
        assert (container.streams.video[0].codec.name, container.streams.audio[0].codec.name) == ("h264", "aac")
    (loaded,) = session.nodes["LoadVideo"].execute(file="clips/mine_00001_.mp4 [output]").args
    images, audio, fps = session.nodes["GetVideoComponents"].execute(loaded).args
    assert (images.shape, fps) == (clip.shape, pytest.approx(29.97))
    assert ((images - clip) ** 2).mean() < 1e-4
    assert audio["sample_rate"] == 48000
    assert audio["waveform"].shape[1] == 2
    assert audio["waveform"].abs().max() > 0.9


def test_quality_is_asked_for(session, base, clip):
    (video,) = session.nodes["CreateVideo"].execute(clip, 25.0).args
    for crf in (10.0, 40.0):
        codec = {"codec": "h264", "encoding": {"encoding": "re-encode", "crf": crf, "color_space": "auto"}}
        session.nodes["SaveVideo"].execute(video, "q", {"format": "mp4", "codec": codec})
    fine, coarse = ((base / f"output/q_0000{n}_.mp4").stat().st_size for n in (1, 2))
    assert fine > 1.2 * coarse


def test_a_loaded_video_is_saved_as_it_is(session, base):
    from comfy_api.latest import InputImpl

    (base / "a.mp4").write_bytes(b"frames")
    InputImpl.VideoFromFile(str(base / "a.mp4")).save_to(str(base / "b.mp4"))
    assert (base / "b.mp4").read_bytes() == b"frames"
    with pytest.raises(ValueError, match=r"Expected to keep \.mp4 as it is: run this workflow on a ComfyUI"):
        InputImpl.VideoFromFile(str(base / "a.mp4")).save_to(str(base / "b.mkv"))


def test_sound_is_loaded_as_it_was_saved(session, base):
    wave = (8000 * torch.sin(torch.arange(4800) * 0.05)).short()
    with av.open(str(base / "input/a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave.numpy()[None], format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (audio,) = session.nodes["LoadAudio"].execute(audio="a.wav").args
    assert audio["sample_rate"] == 16000
    torch.testing.assert_close(audio["waveform"][0, 0], wave.float() / 2**15)


def test_each_mesh_of_a_batch_is_a_file_without_its_padding(session, base):
    from comfy_api.latest import Types

    vertices = torch.rand(2, 5, 3)
    faces = torch.tensor([[[0, 1, 2], [0, 0, 0]], [[2, 3, 4], [0, 1, 2]]])
    counts = {"vertex_counts": torch.tensor([3, 5]), "face_counts": torch.tensor([1, 2])}
    shown = session.nodes["SaveGLB"].execute(Types.MESH(vertices=vertices, faces=faces, **counts), "heads/a").ui["3d"]
    assert [saved["filename"] for saved in shown] == ["a_00001_.glb", "a_00002_.glb"]
    one, two = (base / f"output/heads/a_0000{n}_.glb" for n in (1, 2))
    assert one.stat().st_size < two.stat().st_size


def test_a_dynamic_choice_brings_its_inputs(session, base):
    """As the canvas sends it: the choice and, after a dot, what the choice brings."""
    node = {"class_type": "LoadVideo", "inputs": {"file": "a.mp4"}}
    codec = {"format": "mp4", "format.codec": "h264", "format.codec.encoding": "re-encode"}
    rest = {"format.codec.encoding.crf": 18, "format.codec.encoding.color_space": "auto"}
    frames = {"class_type": "LoadImage", "inputs": {"image": "likeness_astronaut.png"}}
    made = {"class_type": "CreateVideo", "inputs": {"images": ["1", 0], "fps": 25}}
    save = {"class_type": "SaveVideo", "inputs": {"video": ["2", 0], "filename_prefix": "a", **codec, **rest}}
    shown = session.run({"1": frames, "2": made, "3": save, "4": node})
    assert shown["3"]["images"][0]["filename"] == "a_00001_.mp4"


def test_rates_are_fractions(session):
    (video,) = session.nodes["CreateVideo"].execute(torch.zeros(1, 2, 2, 3), 12.5).args
    assert video.get_components().frame_rate == Fraction(25, 2)
