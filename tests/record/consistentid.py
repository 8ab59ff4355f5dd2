"""What ConsistentID's own classes give on seeded weights: ``python tests/record/consistentid.py CHECKOUT``.

Writes the layouts and the golden files of tests/adapt/test_consistentid.py. CHECKOUT is a checkout of
https://github.com/JackAILab/ConsistentID; it needs diffusers, transformers, einops and opencv-python-headless. The
published sizes are laid out without storage on diffusers' own UNets. Values are those of a small size: SD 1.5's blocks
all as wide as its first, SDXL's narrower.
"""

import ast
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from PIL import Image
from torch import nn
from transformers import CLIPTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding
from likeness.adapt import unet

FOLDER = Path(__file__).parents[1] / "checkpoints/consistentid"
PIPELINES = {"sd15": "pipline_StableDiffusion_ConsistentID.py", "sdxl": "pipline_StableDiffusionXL_ConsistentID.py"}
METHODS = ("set_ip_adapter", "get_prepare_facemask", "encode_prompt_with_trigger_word", "get_prepare_llva_caption")
FILES = {"sd15": "consistentid_v1", "sdxl": "consistentid_sdxl_v1"}
PROJECTOR = {"sd15": "image_proj", "sdxl": "image_proj_model"}
SDXL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
}
UNETS = {"sd15": {"cross_attention_dim": 768}, "sdxl": SDXL}
WIDTH, CONTEXT = {"sd15": 320, "sdxl": 64}, {"sd15": 768, "sdxl": 128}  # of the small sizes
HEADS, RANK, LOOK, PIXELS, WEIGHT = 8, 4, 64, 24, 0.8
PLACES = (3, 6, 9, 12)  # where a text of the golden names a part
PROMPTS = {
    "short": "a man in a forest",
    "long": "cinematic photo, a man, in a forest, adventuring, 50mm photograph, half-length portrait, film, bokeh, "
    "professional, 4k, highly detailed, warm evening light through the leaves, a leather jacket, mud on his boots, "
    "looking at the camera, shallow depth of field",
}


def read_theirs(checkout: Path) -> SimpleNamespace:
    """The authors' classes, functions and those methods of their pipelines that need no model."""
    sys.path.insert(0, str(checkout))
    import attention
    import functions

    found = SimpleNamespace(functions=functions, **vars(attention))
    found.methods = {}
    for model, file in PIPELINES.items():
        tree = ast.parse((checkout / file).read_text())
        (pipeline,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
        tree.body = [node for node in pipeline.body if getattr(node, "name", "") in METHODS]
        scope = {**vars(attention), **vars(functions), "Optional": SimpleNamespace, "List": list, "Dict": dict}
        future = ast.parse("from __future__ import annotations").body
        exec(compile(ast.Module(future + tree.body, []), file, "exec"), scope)  # noqa: S102 - a trusted checkout
        found.methods[model] = SimpleNamespace(**{name: scope[name] for name in METHODS})
    return found


def seeded(name: str, *shape: int) -> torch.Tensor:
    return seeding.noise(name, torch.Size(shape)).float()


def lay_out(theirs: SimpleNamespace, model: str) -> nn.Module:
    """The published sizes, as the authors' own loader puts them together."""
    with torch.device("meta"):
        denoiser = UNet2DConditionModel(**UNETS[model])
        pipe = SimpleNamespace(unet=denoiser, device="meta", torch_dtype=torch.float32, lora_rank=128, num_tokens=4)
        theirs.methods[model].set_ip_adapter(pipe)
        names = [f"{name}.attn{n}.processor" for name in unet.blocks(model) for n in (1, 2)]
        if names != list(denoiser.attn_processors):
            raise RuntimeError(f"Expected diffusers' order of {model}'s attentions, got {names}.")
        whole, width = nn.Module(), denoiser.config.cross_attention_dim
        whole.add_module(PROJECTOR[model], theirs.functions.ProjPlusModel(width, 512, 1280, 4))
        whole.FacialEncoder = theirs.FacialEncoder(None, 1280, width, width)
        whole.adapter_modules = nn.ModuleList(denoiser.attn_processors.values())
    return whole


def build(theirs: SimpleNamespace, model: str) -> nn.Module:
    """The small size."""
    width, context = WIDTH[model], CONTEXT[model]
    projector = theirs.functions.ProjPlusModel(context, 512, LOOK, 4)
    projector.perceiver_resampler = theirs.functions.FacePerceiverResampler(
        dim=context, depth=2, heads=2, embedding_dim=LOOK, output_dim=context, ff_mult=0.25
    )
    whole = nn.Module()
    whole.add_module(PROJECTOR[model], projector)
    whole.FacialEncoder = theirs.FacialEncoder(None, LOOK, context, context)
    whole.FacialEncoder.visual_projection = theirs.functions.AttentionMLP(
        dim=96, depth=2, heads=2, embedding_dim=LOOK, output_dim=context
    )
    whole.adapter_modules = nn.ModuleList()
    for _ in unet.blocks(model):
        whole.adapter_modules.append(theirs.Consistent_AttProcessor(width, None, RANK))
        whole.adapter_modules.append(theirs.Consistent_IPAttProcessor(width, context, RANK, scale=WEIGHT))
    return whole.eval()


def attention(model: str, name: str) -> Attention:
    """An attention of a block, of diffusers' own class."""
    width = WIDTH[model]
    context = CONTEXT[model] if name == "attn2" else None
    attn = Attention(width, context, heads=HEADS, dim_head=width // HEADS, bias=False)
    for key, held in attn.named_parameters():
        held.data = seeded(f"base.{name}.{key}", *held.shape) * (3 / held.shape[-1]) ** 0.5
    return attn


def see(model: str, whole: nn.Module) -> list[torch.Tensor]:
    """The tokens of two faces, and those of nobody."""
    projector, identity = whole.get_submodule(PROJECTOR[model]), seeded("identity", 2, 512) / 13
    looks, shortcut = seeded("looks", 3, 17, LOOK), model == "sdxl"
    with torch.no_grad():
        seen = projector(identity, looks[:2], shortcut=shortcut, scale=1.0)
        return [seen, projector(identity[:1] * 0, looks[2:], shortcut=shortcut, scale=1.0)]


def say(model: str, whole: nn.Module) -> list[torch.Tensor]:
    """A text that was told of four parts; the fifth is not there."""
    text, looks = seeded("text", 1, 77, CONTEXT[model]), seeded("parts", 1, 5, 17, LOOK)
    named, valid = torch.zeros(1, 77, dtype=torch.bool), torch.tensor([[True] * len(PLACES) + [False]])
    named[0, list(PLACES)] = True
    with torch.no_grad():
        return [whole.FacialEncoder(text, looks, named, valid)]


def change(model: str, pair: nn.ModuleList) -> list[torch.Tensor]:
    """What a block is after both of its attentions."""
    x, text = seeded("x", 2, PIXELS, WIDTH[model]) * 2, seeded("text", 2, 77, CONTEXT[model])
    told = torch.cat([text, seeded("tokens", 2, 4, CONTEXT[model])], 1)
    attn1, attn2 = attention(model, "attn1"), attention(model, "attn2")
    norm1, norm2 = nn.LayerNorm(WIDTH[model]), nn.LayerNorm(WIDTH[model])
    with torch.no_grad():
        x = x + pair[0](attn1, norm1(x))
        return [x + pair[1](attn2, norm2(x), told)]


def pairs(whole: nn.Module) -> Iterator[nn.ModuleList]:
    """The two processors of each block."""
    held = whole.adapter_modules
    return (nn.ModuleList([held[2 * n], held[2 * n + 1]]) for n in range(len(held) // 2))


def run(model: str, whole: nn.Module) -> list[torch.Tensor]:
    changed = [made for pair in pairs(whole) for made in change(model, pair)]
    return [*see(model, whole), *say(model, whole), *changed]


def find_unseen(model: str, whole: nn.Module) -> list[str]:
    """Tensors that the golden does not see."""
    projector = nn.ModuleDict({PROJECTOR[model]: whole.get_submodule(PROJECTOR[model])})
    facial, first = nn.ModuleDict({"FacialEncoder": whole.FacialEncoder}), next(pairs(whole))
    return [
        *seeding.blind(projector, partial(see, model), 1e-4),
        *seeding.blind(facial, partial(say, model), 1e-4),
        *seeding.blind(first, partial(change, model), 1e-4),  # all are of one class and size
    ]


def calibrated(make: Callable[[], nn.Module], run: seeding.Run) -> tuple[nn.Module, seeding.Plan]:
    """The authors' module with seeded values, and the rules they follow."""
    module = make()
    rules = seeding.calibrate(module, seeding.plan(make), run)
    module.load_state_dict(seeding.fill(module.state_dict(), rules))
    return module, rules


def labels() -> np.ndarray:
    """(512, 512) a face as BiSeNet labels one: rings, holes, a part in two, one that touches the border."""
    y, x = np.mgrid[:512, :512]

    def disc(left: float, top: float, radius: float) -> np.ndarray:
        return (x - left) ** 2 + (y - top) ** 2 < radius**2

    made = np.zeros((512, 512), np.uint8)
    made[disc(250, 260, 180)] = 1
    for label, left in ((4, 180), (5, 320)):
        made[disc(left, 200, 30)] = label
        made[disc(left, 200, 8)] = 0  # a hole
    made[disc(60, 260, 35)] = 7
    made[disc(0, 400, 40)] = 7  # at the border, where half a ring holds nothing
    made[disc(0, 400, 20)] = 0
    made[disc(440, 260, 30)] = 8
    made[disc(250, 280, 35)] = 10
    made[320:360, 200:300] = 12
    made[360:390, 200:300] = 13
    made[335:345, 210:290] = 11
    return made


def read_parts(theirs: SimpleNamespace, model: str, given: np.ndarray) -> dict[str, Image.Image]:
    """The parts of a labelled face by the authors' names, in their order."""
    pipe = SimpleNamespace(parsing_face_mask=lambda image: (None, given))
    return theirs.methods[model].get_prepare_facemask(pipe, None)[0]


def read_words(theirs: SimpleNamespace, model: str, prompt: str, parts: list[str], tokenizer: CLIPTokenizer) -> dict:
    """What the authors make of a prompt when these parts are seen."""
    methods = theirs.methods[model]
    caption = methods.get_prepare_llva_caption(None, "")
    pipe = SimpleNamespace(tokenizer=tokenizer, tokenizer_2=tokenizer, _execution_device="cpu")
    made = methods.encode_prompt_with_trigger_word(pipe, prompt, caption, dict.fromkeys(parts))
    ids, aligned = made[1], made[2 if model == "sd15" else 3]
    places = made[3 if model == "sd15" else 4]
    return {
        "prompt": prompt,
        "parts": parts,
        "text": made[0],
        "tokens": ids[0].tolist(),
        "places": places[0].nonzero().flatten().tolist(),
        "order": list(aligned),
    }


def write_words(theirs: SimpleNamespace, source: dict, tokenizer: CLIPTokenizer) -> None:
    """Parts and prompts into words.json."""
    face, made = labels(), []
    photo = Image.fromarray((seeded("photo", 300, 200, 3).numpy() * 127 + 128).astype(np.uint8))
    hidden = np.where((face == 7) | (face == 8) | (face == 4), 1, face)  # no ears, and the right eye alone
    for model in PIPELINES:
        for given in (face, hidden):
            parts = read_parts(theirs, model, given)
            masked = [np.array(theirs.functions.fetch_mask_raw_image(photo, mask)) for mask in parts.values()]
            made.append(
                {
                    "model": model,
                    "areas": {name: int((np.array(mask) > 0).sum()) for name, mask in parts.items()},
                    "masked": [float(picture.mean()) for picture in masked],
                    "prompts": [read_words(theirs, model, text, list(parts), tokenizer) for text in PROMPTS.values()],
                }
            )
    (FOLDER / "words.json").write_text(json.dumps({**source, "made": made}, indent=1) + "\n")


def main(checkout: Path) -> None:
    theirs = read_theirs(checkout)
    source = {
        "repository": "https://github.com/JackAILab/ConsistentID",
        "commit": golden.commit(checkout),
        "file": "functions.py, attention.py, pipline_StableDiffusion_ConsistentID.py and ..XL_..",
        "class": "ProjPlusModel, FacialEncoder, Consistent_AttProcessor, Consistent_IPAttProcessor",
    }
    for model, stem in FILES.items():
        whole, rules = calibrated(lambda model=model: build(theirs, model), partial(run, model))
        if unseen := find_unseen(model, whole):
            raise RuntimeError(f"Expected a golden that sees every tensor, got one blind to {', '.join(unseen)}.")
        constants = golden.write_layout(FOLDER / f"{stem}.small.tsv", whole.state_dict(), rules)
        full = lay_out(theirs, model).state_dict()
        golden.write_layout(FOLDER / f"{stem}.tsv", full, dict.fromkeys(full, (0.0, 0.0)))
        seen, unseen = see(model, whole)
        made = {"tokens": seen, "nobody": unseen, "text": say(model, whole)[0]}
        for name, pair in zip(unet.blocks(model), pairs(whole), strict=True):
            if model == "sd15" or name.endswith(("down_blocks.1.attentions.0.transformer_blocks.1", "blocks.9")):
                (made[f"block.{name}"],) = change(model, pair)
        golden.write_golden(FOLDER / f"{stem}.json", source, made, constants)
    tokenizer = CLIPTokenizer(str(checkout / "vocab.json"), str(checkout / "merges.txt"), model_max_length=77)
    tokenizer.add_tokens(["<|image|>"], special_tokens=True)
    tokenizer.add_tokens(["<|facial|>"], special_tokens=True)
    write_words(theirs, source, tokenizer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
