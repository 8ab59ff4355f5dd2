"""All that this pack asks of ComfyUI: model files, device memory, progress, socket types."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io
from server import PromptServer
from torch import Tensor, nn

from ..likeness import onnx
from ..likeness.fetch import WORKING
from ..likeness.geometry import check_image
from ..likeness.manifest import Model as Published
from ..likeness.manifest import read_models
from ..likeness.sharpness import sharpness as measure
from ..likeness.types import Faces as FaceRows
from ..likeness.value import cat
from ..likeness.weights import OnnxSystem, System, build, build_onnx, join, read_text
from . import convert, weights

Faces = io.Custom("LIKENESS_FACES")
FaceAlignment = io.Custom("LIKENESS_ALIGNMENT")
FaceAnalyzer = io.Custom("LIKENESS_ANALYZER")
Attributes = io.Custom("LIKENESS_ATTRIBUTES")
FaceClassifier = io.Custom("LIKENESS_CLASSIFIER")
FaceDetector = io.Custom("LIKENESS_DETECTOR")
FaceEmbedder = io.Custom("LIKENESS_EMBEDDER")
FaceEmbeddings = io.Custom("LIKENESS_EMBEDDINGS")
FaceParser = io.Custom("LIKENESS_PARSER")
FaceParsing = io.Custom("LIKENESS_PARSING")
FaceLandmarks = io.Custom("FACE_LANDMARKS")  # core's own
PoseKeypoint = io.Custom("POSE_KEYPOINT")  # core's own
FaceLandmarker = io.Custom("LIKENESS_LANDMARKER")
Landmarks = io.Custom("LIKENESS_LANDMARKS")
HeadPose = io.Custom("LIKENESS_HEAD_POSE")
HeadLifter = io.Custom("LIKENESS_HEAD_LIFTER")
Reenactor = io.Custom("LIKENESS_REENACTOR")
FaceSwapper = io.Custom("LIKENESS_SWAPPER")
IdentityAdapter = io.Custom("LIKENESS_ADAPTER")
FaceWarp = io.Custom("LIKENESS_WARP")
Gallery = io.Custom("LIKENESS_GALLERY")
Table = io.Custom("LIKENESS_TABLE")
Report = io.Custom("LIKENESS_REPORT")
FaceRestorer = io.Custom("LIKENESS_RESTORER")
TextMatcher = io.Custom("LIKENESS_TEXT_MATCHER")
CHUNK = 16  # images
COMFYUIS = ("diffusion_models", "controlnet", "loras")  # folders of ComfyUI's own loaders
Systems = tuple[System | OnnxSystem, ...]


def engine_input() -> io.Combo.Input:
    """The ``engine`` widget of a loader; pass it to ``load_model``, and show the model's ``engine`` with ``show``."""
    return io.Combo.Input(
        "engine",
        options=["auto", "onnxruntime", "torch"],
        default="auto",
        optional=True,
        advanced=True,
        tooltip="What runs an .onnx file: auto takes onnxruntime where it serves the device in use, else torch. "
        "Other files always run on torch.",
    )


def show(node: type[io.ComfyNode], text: str) -> None:
    """Write a line on the node that executes, if its schema has ``hidden=[io.Hidden.unique_id]``."""
    server = getattr(PromptServer, "instance", None)  # None where ComfyUI runs without a server
    if server and node.hidden:
        server.send_progress_text(text, node.hidden.unique_id)


def faces_input(tooltip: str, optional: bool = False, name: str = "faces") -> io.MultiType.Input:
    """A ``faces`` socket; read it with ``convert.to_faces``."""
    kinds = [Faces, io.BoundingBox, FaceLandmarks, PoseKeypoint]
    return io.MultiType.Input(name, kinds, tooltip=tooltip, optional=optional)


def landmarks_input(tooltip: str, optional: bool = False) -> io.MultiType.Input:
    """The ``landmarks`` socket; read it with ``convert.to_landmarks``."""
    return io.MultiType.Input("landmarks", [Landmarks, FaceLandmarks], tooltip=tooltip, optional=optional)


class Model:
    """A network whose device memory ComfyUI manages."""

    def __init__(self, network: nn.Module, again: Callable[[], nn.Module] | None = None) -> None:
        self.again = again or (lambda: network)  # the network made once more, for who needs it in other threads
        device = comfy.model_management.get_torch_device()
        offload = comfy.model_management.unet_offload_device()
        # As an attribute, at run time: ComfyUI may replace the class at start.
        self.patcher = comfy.model_patcher.CoreModelPatcher(network, load_device=device, offload_device=offload)
        graphs = [part.describe() for part in network.modules() if isinstance(part, onnx.Model)]
        self.engine = "; ".join(dict.fromkeys(graphs)) or f"torch, {device}"  # for people: "torch, cuda:0"
        self.weights = ""  # for people: what is published of them, see ``terms``

    def run(self, verb: Callable, image: Tensor, *about: FaceRows):
        """``verb(network, image, *about)`` chunk by chunk, joined; moves the progress bar, can be interrupted.

        Args:
            verb: Takes the network, a chunk of float RGB images, and what is known about its faces.
            image: (B, H, W, C) IMAGE.
            about: The faces in these images, when the verb needs them.
        """
        return cat(list(self.each(verb, image, *about)))

    def each(self, verb: Callable, image: Tensor, *about: FaceRows) -> Iterator:
        """What ``run`` joins, as it comes: for verbs that give pixels."""
        for faces in about:
            check_image(image, faces)
        network = self.ready()
        for chunk in chunks(image, *about):
            yield verb(network, *chunk)

    def ready(self) -> nn.Module:
        """The network, on the device where it is to run."""
        comfy.model_management.load_model_gpu(self.patcher)
        return self.patcher.model


def chunks(image: Tensor, *about: FaceRows) -> Iterator[tuple]:
    """Images and what is known about their faces, 16 at a time; of no images one chunk, which is empty too."""
    progress = comfy.utils.ProgressBar(len(image))
    for start in range(0, len(image) or 1, CHUNK):
        stop = min(start + CHUNK, len(image))
        yield convert.rgb(image[start:stop]), *(faces.images(start, stop) for faces in about)
        progress.update(stop - start)


def sharpness(image: Tensor | None, faces: FaceRows) -> Tensor:
    """(N,) how sharp faces are, chunk by chunk.

    Raises:
        ValueError: There is no image, or another one's faces.
    """
    if image is None:
        raise ValueError("Expected the image that the faces were found in, got none: connect it, to judge sharpness.")
    check_image(image, faces)
    ordered = faces.image_index.argsort(stable=True)
    found = torch.cat([measure(*chunk) for chunk in chunks(image, faces.select(ordered))])
    return torch.empty_like(found).index_copy_(0, ordered, found)


def collect(frames: Iterable[tuple[Tensor, ...]], count: int) -> list[Tensor]:
    """Batches, as ComfyUI passes them on, of what is made frame by frame; moves the progress bar, can be interrupted.

    Args:
        frames: What each frame gives, each time of the same shapes: a picture, a mask.
        count: How many frames there are.
    """
    device, dtype = comfy.model_management.intermediate_device(), comfy.model_management.intermediate_dtype()
    progress, batches = comfy.utils.ProgressBar(count), []
    for number, frame in enumerate(frames):
        batches = batches or [torch.empty(count, *part.shape, device=device, dtype=dtype) for part in frame]
        for batch, part in zip(batches, frame, strict=True):
            batch[number] = part
        progress.update(1)
    return batches


def model_folder(name: str) -> str:
    """Make ``models/{name}`` known to ComfyUI."""
    folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name))
    return name


def list_models(folder: str, systems: Systems) -> list[str]:
    """What a loader offers: the manifest's ids, then the user's own files with "/"."""
    published = published_models(systems)
    theirs = {file.name for model in published.values() for file in model.files}
    files = {name.replace("\\", "/") for name in folder_paths.get_filename_list(folder)}
    return [*published, *sorted(name for name in files - theirs if not name.endswith(WORKING))]


def find_model(folder: str, choice: str, systems: Systems) -> list[str]:
    """The paths of a loader's choice.

    Raises:
        FileNotFoundError: It is not installed; says what to get and where.
    """
    published = published_models(systems).get(choice)
    if published:
        return weights.find(published)
    path = folder_paths.get_full_path(folder, choice)
    if path is None:
        ids = ", ".join(published_models(systems))
        raise FileNotFoundError(f"Expected one of {ids} or a file in models/{folder}, got {choice}: put it there.")
    return [path]


def check_model(folder: str, choice: str, systems: Systems) -> bool | str:
    """Whether a loader can go on with its choice; else why not, for ``validate_inputs``."""
    if published := published_models(systems).get(choice):
        return weights.missing(published) or True
    try:
        find_model(folder, choice, systems)
    except FileNotFoundError as error:
        return str(error)
    return True


def load_model(folder: str, choice: str, systems: Systems, engine: str = "auto") -> Model:
    """The network of a loader's choice, recognised by its tensors.

    Args:
        folder: As ``model_folder`` gave it.
        choice: What the loader's widget says.
        systems: The candidates.
        engine: What runs an .onnx file; see ``onnx.Model``.

    Raises:
        ValueError: The file is damaged or none of the systems', or the engine cannot run it here.
    """
    published = published_models(systems).get(choice)
    if published:
        weights.bring(published)
    path, *others = paths = find_model(folder, choice, systems)
    if published and others:
        parts = [file.part for file in published.files]
        return Model(build(join(dict(zip(parts, map(read_weights, paths), strict=True))), systems))
    if path.lower().endswith(".onnx"):
        device = str(comfy.model_management.get_torch_device())
        make = partial(_make_onnx, path, systems, engine, device)
        return Model(make(), make)
    if engine == "onnxruntime":
        raise ValueError(f"Expected an .onnx file for the engine onnxruntime, got {path}: set engine to auto.")
    return Model(build(read_weights(path), systems))


def read_choice(folder: str, choice: str, systems: Systems) -> dict[str, Tensor]:
    """The tensors of a loader's choice, those of all its files, for a loader that builds more than one ``Model``.

    Raises:
        ValueError: A file is damaged.
    """
    published = published_models(systems).get(choice)
    if published:
        weights.bring(published)
    paths = find_model(folder, choice, systems)
    parts = [file.part for file in published.files] if published else [""]
    return join(dict(zip(parts, map(read_weights, paths), strict=True)))


def named(tensors: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors by name; in pickles of adapters they lie in groups."""
    for name, held in tensors.items():
        if isinstance(held, Mapping):
            yield from named(held, f"{above}{name}.")
        else:
            yield above + name, held


def movable(network: nn.Module) -> nn.Module:
    """A network whose layers are made ComfyUI's: where memory is short it moves them to the device one by one."""
    for module in network.modules():
        if type(module) in (nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.Conv1d, nn.Conv2d, nn.Embedding):
            module.__class__ = getattr(comfy.ops.manual_cast, type(module).__name__)
    return network


def terms(choice: str, systems: Systems) -> str:
    """Which weights a loader's choice is, and under which terms, in words; of a user's own file its name."""
    published = published_models(systems).get(choice)
    if not published:
        return f"{choice}, a file of one's own"
    return f"{choice}; licence: {published.weights_license}; commercial use: {published.commercial}"


def _make_onnx(path: str, systems: Systems, engine: str, device: str) -> nn.Module:
    return build_onnx(onnx.read(path), systems, engine, device)


def read_weights(path: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or a pickle, by name, with dots where they are nested; of a text its bytes.

    A pickle's code never runs.

    Raises:
        ValueError: The file is damaged, or a pickle of more than tensors.
    """
    if path.endswith(".txt"):
        return read_text(path)
    try:
        return dict(named(comfy.utils.load_torch_file(path, safe_load=True)))
    except Exception as error:
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL " in str(error):
            got, remedy = "a pickle that would run code", "get a .safetensors file"
        else:
            got, remedy = (
                f"a damaged one ({str(error).splitlines()[0][:200] if str(error) else 'empty'})",
                "get it again",
            )
        raise ValueError(f"Expected a file of tensors, got {got}: {remedy} for {path}.") from error


def published_models(systems: Systems) -> dict[str, Published]:
    """The published weights of systems by id, without those that ComfyUI's own loaders take."""
    found = (model for system in systems for model in read_models(system.name))
    return {model.id: model for model in found if model.folder not in COMFYUIS}
