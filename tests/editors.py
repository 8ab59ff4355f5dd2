"""What stands in for the files that only users have: a checkpoint, an upscaler, a face restorer, a classifier.

Each is a picture editor of which everything is known: ``identity`` gives back what it is given, ``inverted`` its
negative; an empty latent becomes a shipped photo. The core nodes that would run the user's files are ``NAMES``; nothing
else is replaced. Imports no likeness.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from numpy import asarray
from PIL import Image
from PIL.ImageOps import fit
from torch import Tensor, arange, from_numpy, zeros
from torch.nn.functional import interpolate

EDITORS: dict[str, Callable[[Tensor], Tensor]] = {"identity": lambda image: image, "inverted": lambda image: 1 - image}
# Core's nodes that stand-ins replace, and what the canvas calls them.
NAMES = {
    "CheckpointLoaderSimple": "Load Checkpoint",
    "CLIPTextEncode": "CLIP Text Encode (Prompt)",
    "EmptyLatentImage": "Empty Latent Image",
    "VAEEncode": "VAE Encode",
    "RepeatLatentBatch": "Repeat Latent Batch",
    "ControlNetLoader": "Load ControlNet Model",
    "ControlNetApplyAdvanced": "Apply ControlNet",
    "KSampler": "KSampler",
    "VAEDecode": "VAE Decode",
    "UpscaleModelLoader": "Load Upscale Model",
    "ImageUpscaleWithModel": "Upscale Image (using Model)",
}
CHECKPOINT, UPSCALER, RESTORER = "your_checkpoint.safetensors", "your_upscaler.pth", "GFPGANv1.4.onnx"
CLASSIFIER = "your_expressions.onnx"
CONTROL = "control_sd15_landmarks.safetensors"
VISION = "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors"
LOOK = 64  # width of what it sees
FILES = {
    "checkpoints": CHECKPOINT,
    "upscale_models": UPSCALER,
    "controlnet": CONTROL,
    "clip_vision": VISION,
}  # by folder; empty, for the loaders to list
STARTER = Path(__file__).parent.parent / "models_manifest/starter"
PHOTOS = (STARTER / "photos/astronaut.png", STARTER / "photos/grace_hopper.jpg")
LARGER = 2  # times, as the upscaler makes a picture


def write_models(base: Path, editor: str = "identity") -> None:
    """The files in a base folder's models; the restorer's is a true graph of one operator."""
    for folder, name in FILES.items():
        path = base / "models" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    graphs = {
        f"facerestore_models/{RESTORER}": graph({"identity": "Identity", "inverted": "Neg"}[editor]),
        f"face_classifier/{CLASSIFIER}": classifier(),
    }
    for name, written in graphs.items():
        path = base / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written)


def fill_in(session: Any, editor: str = "identity") -> Any:
    """A session on the stand-ins for ComfyUI, with stand-ins for ``NAMES`` too."""
    from comfy_api.latest import io

    session.nodes.update(nodes(io, editor))
    return session


def nodes(io: ModuleType, editor: str = "identity") -> dict[str, type]:
    """Nodes named as core's, by name; ``io`` is a host's. A latent holds the pixels themselves."""
    edit = EDITORS[editor]
    kinds = ("MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "UPSCALE_MODEL", "CONTROL_NET")
    model, clip, vae, words, latent, upscaler, control = map(io.Custom, kinds)
    choice, number, whole = io.Combo.Input, io.Float.Input, io.Int.Input
    sampling = [
        model.Input("model"),
        whole("seed", default=0, min=0, max=2**64 - 1),
        whole("steps", default=20, min=1, max=10000),
        number("cfg", default=8.0, min=0.0, max=100.0),
        choice("sampler_name", options=["euler", "dpmpp_2m"]),
        choice("scheduler", options=["normal", "karras"]),
        words.Input("positive"),
        words.Input("negative"),
        latent.Input("latent_image"),
        number("denoise", default=1.0, min=0.0, max=1.0),
    ]
    controlled = [
        words.Input("positive"),
        words.Input("negative"),
        control.Input("control_net"),
        io.Image.Input("image"),
        number("strength", default=1.0, min=0.0, max=10.0),
        number("start_percent", default=0.0, min=0.0, max=1.0),
        number("end_percent", default=1.0, min=0.0, max=1.0),
        vae.Input("vae", optional=True),
    ]
    times = whole("amount", default=1, min=1, max=64)
    loaded = choice("ckpt_name", options=[CHECKPOINT])
    given = {
        "CheckpointLoaderSimple": ([loaded], (model, clip, vae), lambda ckpt_name: ("model", "clip", "vae")),
        "CLIPTextEncode": ([io.String.Input("text", multiline=True), clip.Input("clip")], (words,), lambda **_: ([],)),
        "EmptyLatentImage": (
            [whole("width", default=512), whole("height", default=512), whole("batch_size", default=1)],
            (latent,),
            lambda width, height, batch_size: (zeros(batch_size, 4, height // 8, width // 8),),
        ),
        "VAEEncode": ([io.Image.Input("pixels"), vae.Input("vae")], (latent,), lambda pixels, vae: (pixels,)),
        "RepeatLatentBatch": (
            [latent.Input("samples"), times],
            (latent,),
            lambda samples, amount: (samples.repeat(amount, 1, 1, 1),),
        ),
        "ControlNetLoader": ([choice("control_net_name", options=[CONTROL])], (control,), lambda **_: ("control",)),
        "ControlNetApplyAdvanced": (controlled, (words, words), lambda positive, negative, **_: (positive, negative)),
        "KSampler": (sampling, (latent,), lambda latent_image, seed, **_: (edit(drawn(latent_image, seed)),)),
        "VAEDecode": ([latent.Input("samples"), vae.Input("vae")], (io.Image,), lambda samples, vae: (samples,)),
        "UpscaleModelLoader": ([choice("model_name", options=[UPSCALER])], (upscaler,), lambda model_name: ("model",)),
        "ImageUpscaleWithModel": (
            [upscaler.Input("upscale_model"), io.Image.Input("image")],
            (io.Image,),
            lambda upscale_model, image: (edit(upscale(image)),),
        ),
    }
    return {name: _node(io, name, *given[name]) for name in NAMES}


def drawn(latent: Tensor, seed: int) -> Tensor:
    """(B, H, W, 3) the pixels of a latent; an empty one's are the middle of a shipped photo, the seed says which."""
    if latent.shape[-1] == 3:
        return latent
    with Image.open(PHOTOS[seed % len(PHOTOS)]) as photo:
        pixels = fit(photo.convert("RGB"), (latent.shape[3] * 8, latent.shape[2] * 8), centering=(0.45, 0))
    return (from_numpy(asarray(pixels).copy()).float() / 255).expand(len(latent), -1, -1, -1)


def upscale(image: Tensor) -> Tensor:
    """(B, H, W, 3) larger."""
    planes = image.movedim(-1, 1).float()  # older torch has no bicubic in half precision
    planes = interpolate(planes, scale_factor=LARGER, mode="bicubic", antialias=True)
    return planes.movedim(1, -1).clamp(0, 1).to(image.dtype)


def patch_core(core: dict[str, type], editor: str = "identity") -> None:
    """Let ComfyUI's own nodes of ``NAMES`` do what the stand-ins do; their sockets and widgets stay its own.

    They do so for ``CHECKPOINT``, ``CONTROL`` and ``VISION`` alone: other files are loaded and sampled by core.
    """
    edit = EDITORS[editor]
    made: dict[tuple[str, str], Callable] = {
        ("CheckpointLoaderSimple", "load_checkpoint"): lambda ckpt_name: ("model", "clip", "vae"),
        ("CLIPTextEncode", "encode"): lambda clip, text: ([],),
        ("VAEEncode", "encode"): lambda vae, pixels: ({"samples": pixels},),
        ("ControlNetLoader", "load_controlnet"): lambda control_net_name: ("control",),
        ("ControlNetApplyAdvanced", "apply_controlnet"): lambda positive, negative, **_: (positive, negative),
        ("CLIPVisionLoader", "load_clip"): lambda clip_name: (vision(LOOK),),
        ("KSampler", "sample"): lambda latent_image, seed, **_: (
            {"samples": edit(drawn(latent_image["samples"], seed))},
        ),
        ("VAEDecode", "decode"): lambda vae, samples: (samples["samples"],),
    }
    for (node, function), stand_in in made.items():
        setattr(core[node], function, _for_the_stand_in(stand_in, getattr(core[node], function)))
    from comfy_api.latest import io

    def larger(cls: type, upscale_model: Any, image: Tensor) -> Any:
        return io.NodeOutput(edit(upscale(image)))

    core["UpscaleModelLoader"].execute = classmethod(lambda cls, model_name: io.NodeOutput("model"))
    core["ImageUpscaleWithModel"].execute = classmethod(larger)


def vision(size: int) -> Any:
    """A CLIP_VISION of core's own class, ``size`` wide and with seeded weights; no file can describe one so small."""
    import comfy.clip_vision

    config = {"attention_dropout": 0.0, "hidden_act": "gelu", "layer_norm_eps": 1e-05, "num_channels": 3}
    config |= {"hidden_size": size, "intermediate_size": 2 * size, "num_attention_heads": 2, "num_hidden_layers": 3}
    config |= {"image_size": 224, "patch_size": 56, "projection_dim": 32, "model_type": "clip_vision_model"}
    made, random = comfy.clip_vision.ClipVisionModel(config), torch.Generator().manual_seed(5)
    for name, held in made.model.named_parameters():
        spread = held[0].numel() ** -0.5 if held.ndim > 1 else 0.1
        value = torch.randn(held.shape, generator=random) * spread
        held.data = (value + (held.ndim == 1 and name.endswith("weight"))).to(held.dtype)
    return made


def _for_the_stand_in(stand_in: Callable, own: Callable) -> Callable:
    """A node's function that is core's own but where it is given what stands in for a checkpoint."""
    marks = ("model", "clip", "vae", "control", CHECKPOINT, CONTROL, VISION)

    def run(self: Any, **given: Any) -> tuple:
        seen = [value for value in given.values() if isinstance(value, str)]
        return stand_in(**given) if any(value in marks for value in seen) else own(self, **given)

    return run


def _node(io: ModuleType, name: str, inputs: list, outputs: tuple, run: Callable) -> type:
    def define(cls: type) -> Any:
        return io.Schema(name, NAMES[name], "core", inputs=inputs, outputs=[output.Output() for output in outputs])

    def execute(**values: Any) -> Any:
        return io.NodeOutput(*run(**values))

    return type(name, (io.ComfyNode,), {"define_schema": classmethod(define), "execute": staticmethod(execute)})


def graph(operator: str, side: int | None = 512, numbers: tuple[str, ...] = ()) -> bytes:
    """An .onnx file from ``input`` (1, 3, side, side) to ``output`` by one operator; further inputs are numbers."""
    picture = [1, 3, side, side]
    node = _field(1, b"input") + _field(2, b"output") + _field(4, operator.encode())
    sockets = _field(11, _socket("input", picture)) + b"".join(_field(11, _socket(name, [1])) for name in numbers)
    made = _field(1, node) + _field(2, b"editor") + sockets + _field(12, _socket("output", picture))
    return _field(1, 8) + _field(8, _field(2, 17)) + _field(7, made)


def classifier(side: int = 64, classes: int = 6) -> bytes:
    """An .onnx file from ``input`` (B, 3, side, side) to ``output`` (B, classes), which the mean colour decides."""
    weight = arange(3 * classes).reshape(3, classes).float().cos() * 8
    tensor = _field(1, 3) + _field(1, classes) + _field(2, 1) + _field(8, b"w") + _field(9, weight.numpy().tobytes())
    steps = (("input", "GlobalAveragePool", "mean"), ("mean", "Flatten", "flat"), ("flat", "MatMul", "output"))
    nodes = b""
    for source, operator, result in steps:
        inputs = _field(1, source.encode()) + (_field(1, b"w") if operator == "MatMul" else b"")
        nodes += _field(1, inputs + _field(2, result.encode()) + _field(4, operator.encode()))
    sockets = _field(11, _socket("input", [None, 3, side, side])) + _field(12, _socket("output", [None, classes]))
    made = nodes + _field(2, b"classifier") + _field(5, tensor) + sockets
    return _field(1, 8) + _field(8, _field(2, 17)) + _field(7, made)


def _socket(name: str, shape: list[int | None]) -> bytes:
    sizes = b"".join(_field(1, _field(2, b"free") if size is None else _field(1, size)) for size in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, 1) + _field(2, sizes)))


def _field(number: int, value: bytes | int) -> bytes:
    """A protobuf field."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
