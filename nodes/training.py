"""Training nodes: what is learned of one person, on ComfyUI's own models."""

from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io
from safetensors.torch import save_file
from torch import Tensor

from ..likeness import adapt
from ..likeness.adapt import fine_tuning, pva
from . import convert, host
from .adapt import FOLDER, Adapter

EMBEDDINGS = "embeddings"  # core's folder of textual inversions


class TrainIdentityAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessTrainIdentityAdapter",
            display_name="Train Identity Adapter",
            category="likeness/training",
            description="Teaches an inpainting model one person from a few pictures, by PVA's fine-tuning. PVA's own "
            "first training on many people was never published: this begins without it and knows this person alone.",
            search_aliases=[
                "PVA",
                "parallel visual attention",
                "fine-tune",
                "personalize",
                "inpaint face",
                "dreambooth",
            ],
            inputs=[
                io.Model.Input("model", tooltip="An inpainting model of Stable Diffusion 2 or 1.5; it stays as it is."),
                io.Clip.Input("clip", tooltip="The text encoder of the same checkpoint."),
                io.Vae.Input("vae", tooltip="The VAE of the same checkpoint."),
                host.FaceEmbedder.Input("embedder", tooltip="ArcFace, from Load Face Embedder."),
                io.Image.Input("image", tooltip="1 to 5 pictures of the person; each learns from the others."),
                host.faces_input("The person's face in each of these pictures, with five points."),
                io.Int.Input(
                    "steps",
                    default=40,
                    min=1,
                    max=1000,
                    tooltip="How long to learn; it was published with 20, 40, 100.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=fine_tuning.RATE,
                    min=1e-7,
                    max=1e-2,
                    step=1e-7,
                    round=1e-7,
                    tooltip="How fast to learn, of the attention copies; the word <new1> has its own, 0.001.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,
                    tooltip="Of all that is random, the first values included.",
                ),
                io.String.Input(
                    "save_as",
                    default="",
                    optional=True,
                    tooltip="A name: the adapter goes to models/face_adapter and its word to models/embeddings. Empty: "
                    "nothing is written.",
                ),
                io.String.Input(
                    "prompt",
                    default=fine_tuning.PROMPT,
                    optional=True,
                    advanced=True,
                    tooltip="What is said while it learns; <new1> is the word that learns too.",
                ),
                io.Int.Input(
                    "size",
                    default=512,
                    min=64,
                    max=1024,
                    step=64,
                    optional=True,
                    advanced=True,
                    tooltip="Side of the pictures it learns from, pixels; as the model was trained.",
                ),
            ],
            outputs=[
                host.IdentityAdapter.Output("adapter", tooltip="What was learned, for Apply Identity Adapter."),
                host.FaceEmbeddings.Output(
                    "embeddings", tooltip="The person's identity in each picture, for the same."
                ),
                io.Conditioning.Output("positive", tooltip="The prompt with the word that was learned."),
                io.Image.Output("figure", tooltip="The loss of each step."),
                host.Report.Output("report", tooltip="The losses, and those of the same noise before and after."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model,
        clip,
        vae,
        embedder,
        image,
        faces,
        steps,
        learning_rate,
        seed,
        save_as="",
        prompt=fine_tuning.PROMPT,
        size=512,
    ) -> io.NodeOutput:
        gradients = with_gradients()
        gradients.check_inpainting(model)
        lines, place = gradients.Lines(clip, prompt), find_place(save_as)
        person = adapt.Person(convert.rgb(image), convert.to_faces(faces, image))
        crops, masks = fine_tuning.frame(person, size)
        known, vectors = read_identities(embedder, person)
        pictures = gradients.Pictures(vae, crops, masks)
        with gradients.training():
            denoiser = gradients.Denoiser(model, clip, pictures, prompt)
            try:
                network = pva.start(denoiser.projections(), lines.begin(), known.space, seed)
                network, report = learn(network, denoiser, vectors.clone(), steps, learning_rate, seed)
            finally:
                denoiser.close()
            adapter = Adapter(network)
        positive = clip.encode_from_tokens_scheduled(lines.say(network.modifier_vec.detach()))
        said = fine_tuning.summary(report) + (f", saved as {save(network, lines.kind, place)}" if place else "")
        return io.NodeOutput(adapter, known, positive, convert.to_host(report.figure()), report, ui={"text": (said,)})


def learn(network: pva.PVA, denoiser: Any, vectors: Tensor, steps: int, rate: float, seed: int) -> tuple[pva.PVA, Any]:
    """The network trained, on the CPU, and how it went; moves the progress bar, can be interrupted."""
    network.to(denoiser.device)
    progress, losses = comfy.utils.ProgressBar(steps), []
    measure = denoiser.loss(network)
    before = fine_tuning.judge(network, vectors, measure, seed)
    for loss in fine_tuning.fine_tune(network, vectors, measure, steps, rate, seed):
        losses.append(loss)
        progress.update(1)
        comfy.model_management.throw_exception_if_processing_interrupted()
    return network.cpu(), fine_tuning.report(losses, before, fine_tuning.judge(network, vectors, measure, seed))


def read_identities(embedder: host.Model, person: adapt.Person) -> tuple[Any, Tensor]:
    """The identity in each picture, and (N, 2, D) with that in its mirror image."""
    image, faces = person.pictures(pva.TITLE)
    views = (image, faces), (image.flip(2), fine_tuning.mirror(faces))
    found = [embedder.run(lambda network, *chunk: network.embed(*chunk), *view) for view in views]
    vectors = [adapt.Person(embeddings=known).vectors(pva.TITLE, pva.SPACE) for known in found]
    return found[0], torch.stack(vectors, 1).float().cpu()


def find_place(name: str) -> Path | None:
    """A file in models/face_adapter that is not there yet; None where there is no name.

    Raises:
        ValueError: It is no plain name.
    """
    name = name.strip().removesuffix(".safetensors")
    if not name:
        return None
    if Path(name).name != name or name.startswith("."):
        raise ValueError(f"Expected a plain name to save as, got {name}: write it without a folder.")
    folder = Path(folder_paths.models_dir) / FOLDER
    numbers = ("", *(f"_{number}" for number in range(2, 10_000)))
    return next(path for number in numbers if not (path := folder / f"{name}{number}.safetensors").exists())


def save(network: pva.PVA, kind: str, place: Path) -> str:
    """Write the adapter, and its word where core's prompts find it as embedding:name; the name comes back."""
    word = Path(folder_paths.models_dir) / EMBEDDINGS / place.name
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    for path, held in ((place, tensors), (word, {kind: tensors["modifier_vec"][None]})):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(held, path)
    return place.stem


def with_gradients() -> Any:
    """The module that trains on ComfyUI's models; loaded late, for only ComfyUI has them."""
    try:
        from . import gradients
    except ImportError as error:
        raise RuntimeError(
            "Expected ComfyUI, on whose models an identity adapter is trained, got its stand-ins: set COMFYUI_PATH to "
            "a ComfyUI and COMFYUI_PYTHON to its interpreter, and run the workflow with that."
        ) from error
    return gradients


NODES = (TrainIdentityAdapter,)
