"""Faces cut, pasted, masked, drawn and followed, beside others' own code; and how steady, how true, how small it stays.

Pictures are noise, faces upright; what is timed is the same work on both sides, each in the number format it works in.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .per_frame import STARTER, network
from .race import COMFYUI, Measure, Peer, Race, checkout, comfyui

ROOT = Path(__file__).parents[1]
SIZES = {"1080p": (1080, 1920), "4k": (2160, 3840)}
CROP = 128  # side of what a swapper makes, pixels
FRAMES = 16  # of the shipped clip
LINES = ("face_oval", "lips", "left_eye", "right_eye", "left_eyebrow", "right_eyebrow", "irises", "nose")


def picture(size: str):
    """(H, W, 3) uint8 noise."""
    import numpy

    return numpy.random.default_rng(0).integers(0, 256, (*SIZES[size], 3), dtype=numpy.uint8)


def upright(size: str, side: int, count: int = 1):
    """Upright faces side by side in the middle of a picture, boxes of so many pixels."""
    import torch

    from likeness.geometry import bbox_to_kps
    from likeness.types import Faces

    height, width = SIZES[size]
    left = torch.linspace(width / 2 - side * 0.75 * count, width / 2 + side * 0.75 * (count - 1), count)
    top = torch.full((count,), (height - side) / 2)
    box, index = torch.stack([left, top, left + side, top + side], -1), torch.zeros(count, dtype=torch.int64)
    return Faces((height, width), 1, torch.arange(count), index, box, torch.ones(count), bbox_to_kps(box))


def given(**arrays) -> str:
    """A file of arrays for a peer."""
    import numpy

    file = Path(tempfile.mkdtemp()) / "given.npz"
    numpy.savez(file, **arrays)
    return str(file)


def paste_swapped(size: str, side: int, copied: bool = False) -> Callable[[], object]:
    """Pastes into the picture, as streams do; ``copied``: into a copy, as nodes on images do."""
    import torch

    from likeness.paste import Blend, paste, paste_

    image = torch.from_numpy(picture(size)).float()[None] / 255
    alignment, made = swapped(size, side), torch.rand(1, CROP, CROP, 3)
    put = paste if copied else paste_

    def run() -> None:
        with torch.inference_mode():
            put(image, made, alignment, blend=Blend(feather=0.1))

    return run


def swapped(size: str, side: int):
    """How a swapper cuts an upright face."""
    from likeness.geometry import similarity_fit, template_points
    from likeness.types import Alignment

    faces = upright(size, side)
    matrix = similarity_fit(faces.kps, template_points("arcface112", CROP))
    return Alignment(faces, matrix, "arcface112", CROP)


def reactor(size: str, side: int) -> Peer:
    import numpy

    face = numpy.random.default_rng(1).integers(0, 256, (CROP, CROP, 3), dtype=numpy.uint8)
    file = given(picture=picture(size), face=face, matrix=swapped(size, side).matrix[0].double().numpy())
    return Peer("reactor_paste.py", (str(checkout("ComfyUI-ReActor")), file), environment="faces")


def paste_four() -> Callable[[], object]:
    import torch

    from likeness.paste import Blend, paste_

    image = torch.from_numpy(picture("4k")).float()[None] / 255
    crops, alignment, masks = four()

    def run() -> None:
        with torch.inference_mode():
            paste_(image, crops, alignment, masks, blend=Blend())

    return run


def four():
    """Four crops of 512, how they were cut around faces of 400 pixels, and soft masks."""
    import torch

    from likeness.geometry import similarity_fit, template_points
    from likeness.mask import feather
    from likeness.types import Alignment

    faces = upright("4k", 400, 4)
    alignment = Alignment(faces, similarity_fit(faces.kps, template_points("ffhq", 512)), "ffhq", 512)
    masks = torch.zeros(4, 512, 512)
    masks[:, 60:450, 90:420] = 1
    return torch.rand(4, 512, 512, 3, generator=torch.Generator().manual_seed(0)), alignment, feather(masks, 20)


def facetools() -> Peer:
    import numpy

    crops, alignment, masks = four()
    image = picture("4k").astype(numpy.float32) / 255
    arrays = {"crops": crops.numpy(), "masks": masks.numpy(), "matrices": alignment.matrix.double().numpy()}
    file = given(picture=image, **arrays)
    return Peer("facetools_paste.py", (str(checkout("comfyui_facetools")), file), environment="faces")


def oval():
    """(1, 1080, 1920) the mask of a face of 400 pixels."""
    import torch

    height, width = SIZES["1080p"]
    y, x = torch.arange(height)[:, None] - height / 2, torch.arange(width) - width / 2
    return ((x / 160).square() + (y / 200).square() < 1).float()[None]


def grow_mask(pixels: int) -> Callable[[], object]:
    from likeness.mask import grow

    return partial(grow, oval(), pixels)


def faceanalysis(pixels: int) -> Peer:
    arguments = (str(checkout("ComfyUI_FaceAnalysis")), given(mask=oval().numpy()), str(pixels))
    return Peer("faceanalysis_grow.py", arguments, environment="faces")


def meshes():
    """The landmarks of one face of about 400 pixels in a picture of 1080p."""
    import torch

    from likeness import landmark

    photo = torch.zeros(1, *SIZES["1080p"], 3)
    from .per_frame import frame

    face = frame()[:, 63:174, 179:270].repeat_interleave(4, 1).repeat_interleave(4, 2)
    photo[:, 300 : 300 + face.shape[1], 700 : 700 + face.shape[2]] = face
    box = torch.tensor([[700.0, 300, 700 + face.shape[2], 300 + face.shape[1]]])
    faces = upright("1080p", 400)
    faces = type(faces)(faces.image_size, 1, faces.id, faces.image_index, box, faces.score, faces.kps)
    return photo, network("face_landmark_with_attention.onnx", landmark.SYSTEMS).landmarks(photo, faces)


def draw(style: str) -> Callable[[], object]:
    import torch

    from likeness.draw import draw_faces

    with torch.inference_mode():
        photo, landmarks = meshes()

    def run() -> None:
        with torch.inference_mode():
            draw_faces(photo, landmarks.faces, False, False, False, landmarks, style, 1.0)

    return run


def core_draw(kind: str) -> Peer:
    import numpy
    import torch

    from likeness.landmark import canonical as mesh

    with torch.inference_mode():
        photo, landmarks = meshes()
    rings = {
        "face_oval": mesh.ring_edges(mesh.FACE_OVAL),
        "lips": mesh.ring_edges(mesh.LIPS_OUTER) | mesh.ring_edges(mesh.LIPS_INNER),
        "left_eye": mesh.ring_edges(mesh.RIGHT_EYE),
        "right_eye": mesh.ring_edges(mesh.LEFT_EYE),
        "left_eyebrow": mesh.line_edges(mesh.RIGHT_BROW[:5]) | mesh.line_edges(mesh.RIGHT_BROW[5:]),
        "right_eyebrow": mesh.line_edges(mesh.LEFT_BROW[:5]) | mesh.line_edges(mesh.LEFT_BROW[5:]),
        "irises": mesh.ring_edges(mesh.LEFT_IRIS_RING) | mesh.ring_edges(mesh.RIGHT_IRIS_RING),
        "nose": mesh.line_edges(mesh.NOSE_BRIDGE) | mesh.line_edges(mesh.NOSE_WINGS),
        "tesselation": mesh.tesselation(),
    }
    edges = {f"edges_{name}": numpy.array(sorted(pairs)) for name, pairs in rings.items()}
    file = given(picture=photo.numpy(), points=landmarks.points[:, :, :2].numpy(), **edges)
    return Peer("core_draw.py", (str(comfyui()[0]), file, kind), environment=COMFYUI)


def seeded() -> dict:
    """The tensors of ComfyUI's face landmarker, of seeded values."""
    from tests.seeding import fill, read_layout

    return fill(*read_layout(ROOT / "tests/checkpoints/mediapipe_face/mediapipe_face_fp32.tsv"))


def clip():
    """(16, 384, 384, 3) uint8, the beginning of the shipped clip."""
    import numpy

    from likeness import video

    frames = next(video.read(STARTER / "clips/talk.mp4", FRAMES)).image
    return (frames * 255).round().numpy().astype(numpy.uint8)


def search(frames):
    """The one face in each frame, by the shipped BlazeFace."""
    from likeness import detect

    found = network("face_detection_short_range.onnx", detect.SYSTEMS).detect(frames)
    if found.image_index.tolist() != list(range(len(frames))):
        raise RuntimeError("Expected one face in every frame.")
    return found


def mesh_of_clip() -> Callable[[], object]:
    import torch

    from likeness import detect, landmark
    from likeness.weights import build

    frames = torch.from_numpy(clip()).float() / 255
    detector = network("face_detection_short_range.onnx", detect.SYSTEMS)
    landmarker = build(seeded(), landmark.SYSTEMS)

    def run() -> None:
        with torch.inference_mode():
            landmarker.landmarks(frames, detector.detect(frames))

    return run


def core_mesh() -> Peer:
    import numpy
    import torch

    with torch.inference_mode():
        found = search(torch.from_numpy(clip()).float() / 255)
    side = float(found.image_size[0])
    detections = numpy.zeros((FRAMES, 17), numpy.float32)
    detections[:, :4] = found.bbox.numpy() / side
    detections[:, 4:8] = found.kps[:, :2].flatten(1).numpy() / side  # the eyes
    detections[:, 16] = 1
    wanted = ("mesh.", "blendshapes.", "detector_short.")
    state = {name.replace("detector_short.", "detector."): v for name, v in seeded().items() if name.startswith(wanted)}
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    file = given(frames=clip(), detections=detections, **arrays)
    return Peer("core_mesh.py", (str(comfyui()[0]), file), environment="")


def track():
    """True and measured centre and side of a face over 240 frames, pixels."""
    import numpy as np

    t = np.arange(240)
    true = np.stack([900 + 160 * np.sin(t / 40), 520 + 25 * np.sin(t / 17), 300 + 20 * np.sin(t / 90)], 1)
    noise = np.random.default_rng(0)
    return true, true + np.concatenate([noise.normal(0, 2, (240, 2)), noise.normal(0, 6, (240, 1))], 1)


def crop_error():
    """(240, 2) how far the smoothed centre is from the true one, pixels."""
    import torch

    from likeness.smooth import smooth

    true, measured = track()
    return smooth(torch.from_numpy(measured)).numpy()[:, :2] - true[:, :2]


def jitter() -> float:
    import numpy as np

    return float(np.sqrt((np.diff(crop_error(), 2, axis=0) ** 2).sum(1).mean()))


def position() -> float:
    import numpy as np

    return float(np.sqrt((crop_error() ** 2).sum(1).mean()))


def round_trip() -> float:
    """RMS of what an aligned crop at twice the size, pasted back unchanged, changes inside a photo, levels of 255."""
    import torch

    from likeness.geometry import cut
    from likeness.paste import CUT, paste
    from likeness.types import Alignment, Faces

    from .per_frame import frame

    image, zoom, turned = frame(), 2.0, 0.2
    one = torch.zeros(1, dtype=torch.int64)
    faces = Faces((512, 512), 1, one, one, torch.tensor([[179.0, 63, 270, 174]]), torch.ones(1))
    cos, sin = zoom * torch.tensor(turned).cos(), zoom * torch.tensor(turned).sin()
    matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]])
    centre = matrix[:, :2] @ torch.tensor([224.0, 118.0])
    matrix[:, 2] = 127.5 - centre
    alignment = Alignment(faces, matrix[None], "free", 256)
    crop = cut(image, one, alignment.matrix, 256, border=False, mode=CUT)
    changed = (paste(image, crop, alignment) - image)[0, 118 - 40 : 118 + 40, 224 - 40 : 224 + 40]
    return float(changed.square().mean().sqrt()) * 255


MEMORY = """
import resource, sys
import torch
from likeness import video
from likeness.geometry import align, bbox_to_kps
from likeness.paste import paste_
from likeness.types import Faces

def change(frames):
    n = len(frames)
    box = torch.tensor([[16.0, 8, 48, 40]]).expand(n, 4)
    faces = Faces((48, 64), n, torch.zeros(n, dtype=torch.int64), torch.arange(n), box, torch.ones(n), bbox_to_kps(box))
    crops, alignment = align(frames.image, faces, "arcface112", 64, "bicubic")
    return paste_(frames.image, 1 - crops, alignment)

video.edit(sys.argv[1], sys.argv[2], change)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory() -> float:
    """Resident memory of a stream of 2,000 frames against one of 200."""
    import torch

    from likeness import video

    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (200, 2000):
            source, target = Path(folder, f"{count}.mp4"), Path(folder, "out.mp4")
            with video.Writer(source) as writer:
                for _ in range(count // 20):
                    writer.write(torch.rand(20, 48, 64, 3))
            call = [sys.executable, "-c", MEMORY, str(source), str(target)]
            done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
            peaks.append(int(done.stdout))
    return peaks[1] / peaks[0]


TARGETS = {("1080p", 160): 20.0, ("4k", 160): 30.0, ("1080p", 400): 5.0, ("4k", 400): 10.0}
ROWS = (
    *(
        Race(
            f"faces/paste/{size}/{side}", f"a face of {side} px, made at {CROP}, pasted into a {size} picture in place",
            partial(paste_swapped, size, side), "ReActor's in_swap, its full-frame paste alone",
            partial(reactor, size, side), target,
        )
        for (size, side), target in TARGETS.items()
    ),
    *(
        Race(
            f"faces/paste_copy/{size}/{side}", f"the same in a copy of the {size} picture, which in_swap makes too",
            partial(paste_swapped, size, side, True), "ReActor's in_swap, its full-frame paste alone",
            partial(reactor, size, side),
        )
        for size, side in TARGETS
    ),
    Race(
        "faces/paste/four", "four crops of 512 around faces of 400 px pasted in 4k", paste_four,
        "facetools' Warp Faces Back", facetools, 15.0,
    ),
    *(
        Race(
            f"faces/grow/{pixels}", f"the mask of a face of 400 px in 1080p grown by {pixels} px",
            partial(grow_mask, pixels), "FaceAnalysis", partial(faceanalysis, pixels), target,
        )
        for pixels, target in ((8, 8.0), (32, 30.0))
    ),
    *(
        Race(
            f"faces/draw/{kind}", f"the {words} of a face of 400 px in 1080p drawn", partial(draw, style),
            "ComfyUI's Visualize Face Landmarks", partial(core_draw, kind), target,
        )
        for kind, words, style, target in (
            ("contours", "contour edges", "contours", 3.0), ("tesselation", "whole tesselation", "mesh", 1.0),
        )
    ),
    Race(
        "faces/mesh/clip", f"{FRAMES} frames of 384 px: BlazeFace, mesh and blendshapes, seeded", mesh_of_clip,
        "ComfyUI's Face Landmarker, the same crops and weights", core_mesh, 1.5,
    ),
    Measure("faces/jitter", "RMS second difference of a smoothed crop's error", jitter, 0.05, "px", 1),
    Measure("faces/position", "RMS error of a smoothed crop's centre", position, 0.8, "px", 1),
    Measure("faces/round_trip", "RMS change of a crop at 2x pasted back unchanged", round_trip, 0.4535, "of 255", 1),
    Measure("faces/memory", "resident memory of 2,000 frames against 200", memory, 1.05, "x", 1),
)  # fmt: skip
