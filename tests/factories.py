"""What tests are made of: real photos, and plain tensors that are seeded."""

import shutil
from pathlib import Path

import torch
from torch import Tensor

STARTER = Path(__file__).parents[1] / "models_manifest/starter"
PHOTOS = {"astronaut": STARTER / "photos/astronaut.png", "grace_hopper": STARTER / "photos/grace_hopper.jpg"}
EXAMPLES = {**PHOTOS, "two_people": STARTER / "photos/two_people.jpg"}


def photo(height: int, width: int, seed: int) -> Tensor:
    """(H, W, 3) smooth random colours in [0, 1]."""
    coarse = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return fine[0].movedim(0, -1).clamp(0, 1)


def noise(shape: torch.Size, seed: int = 0) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def read_photo(name: str) -> Tensor:
    """(1, H, W, 3) a shipped photo in [0, 1]."""
    import av

    with av.open(str(EXAMPLES[name])) as container:
        frame = next(container.decode(video=0))
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).float()[None] / 255


def read_clip() -> Tensor:
    """(75, 384, 384, 3) the shipped driving clip in [0, 1]."""
    import av

    with av.open(str(STARTER / "clips/talk.mp4")) as container:
        frames = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return torch.stack(frames).float() / 255


def people(count: int) -> Tensor:
    """(1, 512, 800, 3) a picture of nobody, of the astronaut, or of her and Grace Hopper."""
    astronaut = read_photo("astronaut")[:, 10:266, 125:325].repeat_interleave(2, 1).repeat_interleave(2, 2)
    halves = [astronaut, read_photo("grace_hopper")[:, 30:542, 70:470]][:count]
    return torch.cat(halves + [torch.full((1, 512, 400, 3), 0.5)] * (2 - count), 2)


def write_base(root: Path, clip_frames: int | None = None) -> Path:
    """A ComfyUI base folder with no models; its inputs are the photos, tables, and clips cut to so many frames."""
    for folder in ("input", "models", "output", "temp", "user", "custom_nodes"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for path in [*EXAMPLES.values(), *STARTER.glob("clips/*.mp4"), *STARTER.glob("tables/*.csv")]:
        target = root / "input" / f"likeness_{path.name}"
        if clip_frames and path.suffix == ".mp4":
            cut(path, target, clip_frames)
        else:
            shutil.copy(path, target)
    return root


def cut(source: Path, target: Path, frames: int) -> None:
    """The first frames of a video."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        video = given.streams.video[0]
        stream = made.add_stream("h264", rate=video.average_rate, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for frame, _ in zip(given.decode(video), range(frames), strict=False):
            made.mux(stream.encode(frame.reformat(format="yuv420p")))
        made.mux(stream.encode(None))


def compare_prompt() -> dict:
    """The main job at its smallest, in API format: two photos of ``write_base``, one distance."""

    def node(kind: str, **inputs: object) -> dict:
        return {"class_type": kind, "inputs": inputs}

    return {
        "1": node("LoadImage", image="likeness_astronaut.png"),
        "2": node("LoadImage", image="likeness_grace_hopper.jpg"),
        "3": node("LikenessLoadFaceDetector", model="yunet/2023mar"),
        "4": node("LikenessLoadFaceEmbedder", model="dlib_resnet/v1"),
        "5": node("LikenessDetectFaces", detector=["3", 0], image=["1", 0], threshold=0.7),
        "6": node("LikenessDetectFaces", detector=["3", 0], image=["2", 0], threshold=0.7),
        "7": node("LikenessEmbedFaces", embedder=["4", 0], image=["1", 0], faces=["5", 0]),
        "10": node("LikenessEmbedFaces", embedder=["4", 0], image=["2", 0], faces=["6", 0]),
        "8": node("LikenessCompareFaces", a=["7", 0], b=["10", 0]),
        "9": node("PreviewAny", source=["8", 1]),
    }


def long_prompt(frames: int) -> dict:
    """A video that takes ComfyUI a while: every frame's face is embedded, by node 7."""
    short = compare_prompt()
    small = {"upscale_method": "area", "width": 96, "height": 96, "crop": "disabled"}
    boxes = {"image": ["21", 0], "boxes": "0 0 96 96"}
    return {
        **short,
        "20": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], **small}},
        "21": {"class_type": "RepeatImageBatch", "inputs": {"image": ["20", 0], "amount": frames}},
        "5": {"class_type": "LikenessFacesFromBoxes", "inputs": boxes},
        "7": {"class_type": "LikenessEmbedFaces", "inputs": {**short["7"]["inputs"], "image": ["21", 0]}},
    }
