"""Where ConsistentID's own pipelines lead: ``python tests/record/pipelines/consistentid.py CHECKOUT CLIP``.

Writes tests/checkpoints/consistentid/pipeline/. CHECKOUT is one of
https://github.com/JackAILab/ConsistentID, CLIP a folder with CLIP's vocab.json and merges.txt; it needs diffusers,
transformers, einops and opencv-python-headless. From a photo and two prompts on all is the authors', with small
text encoders and CLIP vision; a seeded identity stands for insightface's, labels of a drawn face for BiSeNet's. The
photo is as large as CLIP vision's, so that nobody's way to resize is asked.
"""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import denoisers
import numpy as np
import torch
from denoisers import CHECKPOINTS, CONTEXT, POOLED, seeded
from PIL import Image
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

import golden

FOLDER = CHECKPOINTS / "consistentid/pipeline"
LOOK, RANK, SIDE, STEPS, MERGE = 64, 4, 224, 4, 1  # steps 0 and 1 hear the text alone
WIDTHS = {"sd15": {"l": 48}, "sdxl": {"l": 32, "g": POOLED}}  # of the text encoders; together the denoiser's context
PROMPT, AGAINST = "a man in a forest", "blurry, lowres"


def text_encoder(kind: str, name: str) -> nn.Module:
    """A small CLIP text model; SDXL's second has a projection."""
    sizes = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 96, "eos_token_id": 49407}
    acts = "gelu" if name == "g" else "quick_gelu"
    config = CLIPTextConfig(hidden_size=WIDTHS[kind][name], hidden_act=acts, projection_dim=POOLED, **sizes)
    return (CLIPTextModelWithProjection if name == "g" else CLIPTextModel)(config).eval()


def published(encoder: nn.Module) -> nn.Module:
    """A text model under the names of published files, of which transformers 5 has left out the first."""
    if "embeddings" not in dict(encoder.named_children()):
        return encoder
    whole = nn.Module()
    whole.text_model = encoder
    return whole


def tokenizer(folder: Path, pad: str) -> CLIPTokenizer:
    """CLIP's, with the words that theirs adds."""
    made = CLIPTokenizer.from_pretrained(folder, model_max_length=77, pad_token=pad)
    made.add_tokens(["<|image|>", "<|facial|>"], special_tokens=True)
    return made


def vision() -> nn.Module:
    """A small CLIP vision model."""
    sizes = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 2 * LOOK, "patch_size": 56}
    config = CLIPVisionConfig(hidden_size=LOOK, image_size=SIDE, projection_dim=32, hidden_act="gelu", **sizes)
    return CLIPVisionModelWithProjection(config).eval()


def adapter(theirs: SimpleNamespace, kind: str, pipe: Any) -> nn.Module:
    """What their file holds, in a pipeline that it was put into."""
    pipe.lora_rank, pipe.num_tokens, pipe.torch_dtype = RANK, 4, torch.float32
    pipe.set_ip_adapter()
    whole, context = nn.Module(), CONTEXT[kind]
    pipe.image_proj_model = theirs.functions.ProjPlusModel(context, 512, LOOK, 4)
    pipe.image_proj_model.perceiver_resampler = theirs.functions.FacePerceiverResampler(
        dim=context, depth=2, heads=1, embedding_dim=LOOK, output_dim=context, ff_mult=1
    )
    pipe.FacialEncoder = theirs.FacialEncoder(None, LOOK, context, context)
    pipe.FacialEncoder.visual_projection = theirs.functions.AttentionMLP(
        dim=96, depth=2, heads=2, embedding_dim=LOOK, output_dim=context
    )
    whole.add_module({"sd15": "image_proj", "sdxl": "image_proj_model"}[kind], pipe.image_proj_model)
    whole.FacialEncoder = pipe.FacialEncoder
    whole.adapter_modules = nn.ModuleList(pipe.unet.attn_processors.values())
    return whole.eval()


def labels() -> np.ndarray:
    """(S, S) a drawn face as BiSeNet labels one: no ears."""
    made = np.zeros((SIDE, SIDE), np.uint8)
    for label, (top, left, height, width) in {
        1: (30, 40, 160, 140),
        4: (80, 70, 16, 30),
        5: (80, 120, 16, 30),
        10: (100, 100, 30, 20),
        12: (140, 85, 8, 50),
        13: (150, 85, 8, 50),
    }.items():
        made[top : top + height, left : left + width] = label
    return made


def build(theirs: SimpleNamespace, kind: str, tokens: Path) -> tuple[Any, dict[str, nn.Module]]:
    """A pipeline of theirs, and the modules in it whose values are seeded."""
    seconds = {"text_encoder_2": None, "tokenizer_2": None} if kind == "sdxl" else {}
    pipe = denoisers.pipeline(theirs.pipelines[kind], kind, **seconds)
    parts = {"": adapter(theirs, kind, pipe), "vision": vision()}
    encoders = {name: text_encoder(kind, name) for name in WIDTHS[kind]}
    parts |= {name: published(encoder) for name, encoder in encoders.items()}
    pipe.text_encoder, pipe.tokenizer = encoders["l"], tokenizer(tokens, "<|endoftext|>")
    if kind == "sdxl":
        pipe.text_encoder_2, pipe.tokenizer_2 = encoders["g"], tokenizer(tokens, "!")
    pipe.image_encoder, pipe.clip_image_processor = parts["vision"], CLIPImageProcessor()
    identity = SimpleNamespace(normed_embedding=nn.functional.normalize(seeded("identity", 512), dim=0).numpy())
    pipe.app = SimpleNamespace(get=lambda image: [identity])
    pipe.parsing_face_mask = lambda image: (None, labels())
    return pipe, parts


def record(theirs: SimpleNamespace, kind: str, tokens: Path) -> tuple[dict[str, torch.Tensor], dict[str, list]]:
    """Where a pipeline leads, and the constants among its values."""
    pipe, parts = build(theirs, kind, tokens)
    constants = {}
    for name, module in parts.items():
        stem = "_".join(filter(None, (kind, name)))
        constants |= denoisers.seed(
            module, lambda name=name: build(theirs, kind, tokens)[1][name], FOLDER / f"{stem}.tsv"
        )
    photo = Image.fromarray((seeded("photo", SIDE, SIDE, 3) * 127 + 128).byte().numpy())
    given = {"input_id_images": photo, "prompt": PROMPT, "negative_prompt": AGAINST, "start_merge_step": MERGE}
    given |= {"input_image_path": ""} if kind == "sdxl" else {}
    pipe(**given, num_inference_steps=STEPS, **denoisers.call())
    return {f"{kind}.{name}": tensor for name, tensor in pipe.scheduler.outputs().items()}, constants


def main(checkout: Path, tokens: Path) -> None:
    sys.modules["insightface"] = ModuleType("insightface")
    sys.modules["insightface.app"] = ModuleType("insightface.app")
    sys.modules["insightface.app"].FaceAnalysis = None
    sys.path.insert(0, str(checkout))
    import attention
    import functions
    import pipline_StableDiffusion_ConsistentID as sd15
    import pipline_StableDiffusionXL_ConsistentID as sdxl

    classes = {"sd15": sd15.ConsistentIDStableDiffusionPipeline, "sdxl": sdxl.ConsistentIDStableDiffusionXLPipeline}
    theirs = SimpleNamespace(functions=functions, FacialEncoder=attention.FacialEncoder, pipelines=classes)
    outputs, constants = {}, {}
    for kind in classes:
        made, held = record(theirs, kind, tokens)
        outputs |= made
        constants |= held
    source = {
        "repository": "https://github.com/JackAILab/ConsistentID",
        "commit": golden.commit(checkout),
        "file": "pipline_StableDiffusion_ConsistentID.py, pipline_StableDiffusionXL_ConsistentID.py",
        "class": ", ".join(one.__name__ for one in classes.values()),
    }
    golden.write_golden(FOLDER / "golden.json", source, outputs, constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
