"""Pictures, videos and sounds are read and written by the stand-ins as ComfyUI does it."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest
import torch
from PIL import Image

import factories
from headless import PACK
from same import same_image, same_mesh, same_video

EXIF_ORIENTATION = 274
READ = """
import sys, numpy, pathlib
from headless import standalone
base, out = map(pathlib.Path, sys.argv[1:])
nodes = standalone.start(base).nodes
kinds = {".mp4": "LoadVideo", ".wav": "LoadAudio", ".m4a": "LoadAudio"}
names = {"LoadVideo": "file", "LoadAudio": "audio", "LoadImage": "image"}
for path in sorted((base / "input").glob("decode_*")):
    node = kinds.get(path.suffix, "LoadImage")
    found = nodes[node].execute(**{names[node]: path.name}).args
    if node == "LoadVideo":
        found = nodes["GetVideoComponents"].execute(found[0]).args
        found = (found[0], found[1]["waveform"] if found[1] else numpy.zeros(0), found[2])
    elif node == "LoadAudio":
        found = (found[0]["waveform"], found[0]["sample_rate"])
    numpy.savez(out / f"{path.name}.npz", *found)
"""
WRITE = """
import sys, pathlib, torch
from headless import standalone
base = pathlib.Path(sys.argv[1])
nodes = standalone.start(base).nodes
frames, sound, mesh = torch.load(base / "given.pt")
from comfy_api.latest import Types
(video,) = nodes["CreateVideo"].execute(frames, 29.97, {"waveform": sound, "sample_rate": 44100}).args
nodes["SaveVideo"].execute(video, "standins", {"format": "auto", "codec": {"codec": "auto"}})
nodes["SaveGLB"].execute(Types.MESH(**mesh), "standins")
nodes["SaveImage"].execute(frames[:1], "standins")
"""


def run_on_standins(code: str, *arguments: object) -> None:
    call = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(call, cwd=PACK, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def write_files(folder) -> list[str]:
    """One file of each kind that is decoded in its own way; odd sizes show what a row's padding does."""
    pixels = (255 * factories.photo(53, 75, seed=1).numpy()).astype(np.uint8)
    picture = Image.fromarray(pixels)
    alpha = Image.fromarray(np.concatenate([pixels, pixels[..., :1]], 2))
    picture.save(folder / "decode_rgb.png")
    alpha.save(folder / "decode_rgba.png")
    alpha.save(folder / "decode_rgba.webp", lossless=True)
    picture.save(folder / "decode_lossy.webp")
    picture.convert("L").save(folder / "decode_grey.png")
    picture.convert("L").save(folder / "decode_grey.jpg")
    picture.convert("P").save(folder / "decode_palette.png")
    picture.convert("1").save(folder / "decode_bits.png")
    picture.convert("CMYK").save(folder / "decode_cmyk.jpg")
    picture.save(folder / "decode_rgb.tiff")
    picture.save(folder / "decode_rgb.bmp")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257 + 3).save(folder / "decode_16.png")
    picture.resize((1, 1)).save(folder / "decode_one_pixel.png")
    frames = [Image.fromarray(np.roll(pixels, 5 * n, 1)) for n in range(3)]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(folder / f"decode_moving.{suffix}", save_all=True, append_images=frames[1:])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        picture.save(folder / f"decode_turned_{orientation}.jpg", exif=exif)
    for quality, subsampling in ((95, 0), (95, 1), (75, 2)):
        picture.save(folder / f"decode_{quality}_{subsampling}.jpg", quality=quality, subsampling=subsampling)
    for rate, size in ((25, (74, 52)), (24000 / 1001, (96, 64))):
        write_video(folder / f"decode_{size[0]}.mp4", [np.asarray(frame.resize(size)) for frame in frames], rate)
    write_sound(folder / "decode_sound.wav", "pcm_s16le", "s16", 22050)
    write_sound(folder / "decode_sound.m4a", "aac", "fltp", 44100)
    return sorted(path.name for path in folder.glob("decode_*"))


def write_video(path, frames, rate) -> None:
    from fractions import Fraction

    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=Fraction(rate).limit_denominator(1001))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=44100, layout="stereo")
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
        wave = np.sin(np.arange(5000, dtype=np.float32) / 20)
        heard = av.AudioFrame.from_ndarray(np.stack([wave, -wave]), format="fltp", layout="stereo")
        heard.sample_rate, heard.pts = 44100, 0
        container.mux(sound.encode(heard))
        container.mux(sound.encode(None))


def write_sound(path, codec, kind, rate) -> None:
    wave = np.sin(np.arange(4 * 1024, dtype=np.float32) / 20)[None]
    wave = (wave * 2**14).astype(np.int16) if kind == "s16" else wave
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave, format=kind, layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def decoded(session, base, tmp_path_factory):
    """What each host made of each file, by its name."""
    import nodes

    files, out = write_files(base / "input"), tmp_path_factory.mktemp("decoded")
    run_on_standins(READ, base, out)
    load = nodes.NODE_CLASS_MAPPINGS

    def ours(name: str) -> list[np.ndarray]:
        if name.endswith(".mp4"):
            (video,) = load["LoadVideo"].execute(file=name).result
            images, audio, fps = load["GetVideoComponents"].execute(video).result[:3]
            return [images.numpy(), audio["waveform"].numpy(), np.array(fps)]
        if name.endswith((".wav", ".m4a")):
            (audio,) = load["LoadAudio"].execute(audio=name).result
            return [audio["waveform"].numpy(), np.array(audio["sample_rate"])]
        return [value.numpy() for value in load["LoadImage"]().load_image(name)]

    yield {name: (ours(name), list(np.load(out / f"{name}.npz").values())) for name in files}
    for name in files:
        (base / "input" / name).unlink()


def test_files_are_decoded_alike(decoded):
    assert len(decoded) > 25
    for name, (ours, theirs) in decoded.items():
        assert [value.shape for value in ours] == [value.shape for value in theirs], name
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, atol=1 / 255, rtol=0, err_msg=name)


def test_a_photo_taken_sideways_is_upright(decoded):
    upright = decoded["decode_turned_1.jpg"][0][0]
    for orientation in (3, 6, 8):
        turned = decoded[f"decode_turned_{orientation}.jpg"][0][0]
        turns = {3: 2, 6: 3, 8: 1}[orientation]
        np.testing.assert_allclose(turned[0], np.rot90(upright[0], turns), atol=0.1)


def test_files_are_written_alike(session, base):
    from comfy_api.latest import Types

    import nodes

    frames = torch.stack([factories.photo(54, 74, seed=n) for n in range(6)])
    sound = torch.sin(torch.arange(20000) / 20)[None, None].expand(1, 2, -1).contiguous()
    mesh = {"vertices": torch.rand(1, 5, 3), "faces": torch.tensor([[[0, 1, 2], [2, 3, 4]]])}
    mesh |= {"uvs": torch.rand(1, 5, 2), "texture": frames[:1], "normals": torch.rand(1, 5, 3)}
    torch.save((frames, sound, mesh), base / "given.pt")
    run_on_standins(WRITE, base)
    load = nodes.NODE_CLASS_MAPPINGS
    (video,) = load["CreateVideo"].execute(frames, 29.97, {"waveform": sound, "sample_rate": 44100}).result
    for node, given in {
        "SaveVideo": {"video": video, "format": {"format": "auto", "codec": {"codec": "auto"}}},
        "SaveGLB": {"mesh": Types.MESH(**mesh)},
    }.items():
        cls = load[node].PREPARE_CLASS_CLONE({"hidden_inputs": {}})
        cls.execute(**given, filename_prefix="comfyui")
    load["SaveImage"]().save_images(frames[:1], "comfyui")
    for number, (suffix, same) in enumerate({"mp4": same_video, "glb": same_mesh, "png": same_image}.items(), 1):
        same(*(str(base / f"output/{host}_{number:05}_.{suffix}") for host in ("comfyui", "standins")))
