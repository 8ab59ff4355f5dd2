"""Where Arc2Face leads in diffusers: ``python tests/record/pipelines/arc2face.py CHECKOUT CLIP``.

Writes tests/checkpoints/arc2face/pipeline/. CHECKOUT is one of https://github.com/foivospar/Arc2Face; its
classes need transformers 4.36. CLIP is a folder with CLIP's vocab.json and merges.txt. As its README says the pipeline
is diffusers' own around the authors' encoder, which speaks the empty negative prompt too; the expression adapter is an
IP-Adapter in it. The encoder has the small values of tests/record/arc2face.py; a seeded identity stands for ArcFace's.
"""

import json
import sys
from pathlib import Path

import denoisers
import torch
from denoisers import CHECKPOINTS, seeded
from diffusers import StableDiffusionPipeline
from torch import nn
from transformers import CLIPTextConfig, CLIPTokenizer

import golden
import seeding

FOLDER = CHECKPOINTS / "arc2face"

CONTEXT, NUMBERS, TOKENS, STEPS, SCALE = 768, 55, 4, 4, 0.8
LEVELS = (32, 64, 128, 128)


def read_values(stem: Path) -> dict[str, torch.Tensor]:
    """The seeded values of a recorded layout."""
    layout, rules = seeding.read_layout(stem.with_suffix(".small.tsv"))
    constants = json.loads(stem.with_suffix(".small.json").read_text())["constants"]
    return seeding.fill(layout, rules | {name: torch.tensor(value) for name, value in constants.items()})


def main(checkout: Path, vocabulary: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import arc2face as recorder  # the one beside this folder, with the layout of the expression adapter's file

    theirs = recorder.read_code(checkout)
    encoder = theirs.model(CLIPTextConfig(**recorder.CLIP_L, **recorder.SMALL)).eval()
    encoder.load_state_dict(read_values(FOLDER / "arc2face_encoder"))
    pipe = denoisers.pipeline(StableDiffusionPipeline, "sd15", CONTEXT)
    pipe.text_encoder, pipe.tokenizer = encoder, CLIPTokenizer.from_pretrained(vocabulary, model_max_length=77)
    identity = nn.functional.normalize(seeded("one", 1, 512), dim=-1)
    call = denoisers.call() | {"prompt_embeds": theirs.project(pipe, identity), "num_inference_steps": STEPS}
    pipe(**call)
    outputs = {f"plain.{name}": tensor for name, tensor in pipe.scheduler.outputs().items()}

    layout = recorder.Layout(LEVELS, None)
    constants = denoisers.seed(layout, lambda: recorder.Layout(LEVELS, None), FOLDER / "pipeline/adapter.tsv")
    groups: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in layout.state_dict().items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    pipe.unet._load_ip_adapter_weights([groups])
    pipe.set_ip_adapter_scale(SCALE)
    expression = seeded("expression", 1, 1, NUMBERS)
    pipe(**call, ip_adapter_image_embeds=[torch.cat([torch.zeros_like(expression), expression])])
    outputs |= {f"expression.{name}": tensor for name, tensor in pipe.scheduler.outputs().items()}
    source = {
        "repository": "https://github.com/foivospar/Arc2Face, in diffusers as its README and app_exp_adapter.py do",
        "commit": golden.commit(checkout),
        "file": "arc2face/models.py, arc2face/utils.py",
        "class": "CLIPTextModelWrapper, project_face_embs, StableDiffusionPipeline",
    }
    golden.write_golden(FOLDER / "pipeline/golden.json", source, outputs, constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
