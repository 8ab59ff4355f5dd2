"""What FaceChain-FACT's own classes give on seeded weights: ``python tests/record/facechain_fact.py CHECKOUT``.

Writes the layouts and the golden file of tests/adapt/test_facechain_fact.py. CHECKOUT is a checkout of
https://github.com/modelscope/facechain. The published sizes, 330 M parameters, are laid out without storage; values are
those of a small size, whose blocks are all as wide as SD 1.5's first.
"""

import ast
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding
from likeness.adapt import unet
from likeness.adapt.facechain_fact import plant

FOLDER = Path(__file__).parents[1] / "checkpoints/facechain_fact"
CLASSES = {"Face_Prj_Resampler", "PerceiverAttention", "FeedForward", "reshape_tensor"}
LEVELS = {"down_blocks": (320, 640, 1280), "up_blocks": (1280, 1280, 640, 320), "mid_block": (1280,)}
ADAPTERS, ENCODER = ("facechain_fact_maj", "facechain_fact_film"), "ms1mv2_model_transface_s"
BLOCKS = list(unet.blocks("sd15"))
TOKENS, CONTEXT, HEADS, WEIGHT = 24, 768, 8, 0.8


def read_classes(checkout: Path) -> SimpleNamespace:
    """The authors' classes; timm's three small helpers, and what else they import at the top, are not needed."""
    layers = ModuleType("timm.models.layers")
    layers.DropPath = lambda rate: nn.Identity()
    layers.to_2tuple = lambda size: (size, size)
    layers.trunc_normal_ = nn.init.trunc_normal_
    sys.modules |= {"timm": ModuleType("timm"), "timm.models": ModuleType("timm.models"), layers.__name__: layers}
    sys.path.insert(0, str(checkout / "face_adapter"))
    import face_attention_processor_v1 as processors
    import vit

    tree = ast.parse((checkout / "face_adapter/face_adapter_v1.py").read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in CLASSES]
    found = {"torch": torch, "nn": nn, "math": __import__("math")}
    exec(compile(tree, "face_adapter_v1.py", "exec"), found)  # noqa: S102 - a checkout that the caller trusts
    return SimpleNamespace(
        vit=vit.VisionTransformer, resampler=found["Face_Prj_Resampler"], processor=processors.FaceAttnProcessor2_0
    )


def build_encoder(theirs: SimpleNamespace, small: bool) -> nn.Module:
    """TransFace, the second file."""
    size, depth = (64, 2) if small else (512, 12)
    return theirs.vit(112, 9, num_classes=size, embed_dim=size, depth=depth, num_heads=8).eval()


def build(theirs: SimpleNamespace, small: bool) -> nn.Module:
    """The resampler and sixteen blocks under the first file's names."""
    whole = nn.Module()
    given = {"dim": 128, "depth": 2, "heads": 2, "num_queries": 4, "embedding_dim": 64} if small else {}
    whole.local_fac_prj = theirs.resampler(**{"heads": 12, "dim": 1024, **given})
    for name in unet.blocks("sd15"):
        part, level = name.split(".")[:2]
        width = 320 if small else LEVELS[part][0 if part == "mid_block" else int(level)]
        plant(whole, f"{name}.attn2.processor", theirs.processor(hidden_size=width, cross_attention_dim=CONTEXT))
    return whole.eval()


def seeded(name: str, *shape: int) -> torch.Tensor:
    return seeding.noise(name, torch.Size(shape)).float()


def attention() -> nn.Module:
    """A block's own cross-attention, with what the authors' processor asks of diffusers' class."""
    attn = nn.Module()
    attn.heads, attn.rescale_output_factor, attn.residual_connection = HEADS, 1, False
    attn.norm_cross, attn.spatial_norm, attn.group_norm = False, None, None
    attn.to_q, attn.to_k, attn.to_v = (nn.Linear(size, 320, bias=False) for size in (320, CONTEXT, CONTEXT))
    attn.to_out = nn.ModuleList([nn.Linear(320, 320), nn.Identity()])
    attn.norm2 = nn.LayerNorm(320)
    for name, held in attn.named_parameters():
        held.data = seeded(f"base.{name}", *held.shape) * (3 / held.shape[-1]) ** 0.5 + (name == "norm2.weight")
    return attn


def run(whole: nn.Module, patches: torch.Tensor) -> list[torch.Tensor]:
    return [*resample(whole, patches), *(made for name in BLOCKS for made in change(processor(whole, name)))]


def processor(whole: nn.Module, name: str) -> nn.Module:
    return whole.get_submodule(f"{name}.attn2.processor")


def encode(encoder: nn.Module) -> list[torch.Tensor]:
    """The patches of two faces; the identity vector is not used."""
    with torch.no_grad():
        return [encoder(seeded("faces", 2, 3, 112, 112))[0]]


def resample(whole: nn.Module, patches: torch.Tensor) -> list[torch.Tensor]:
    """The tokens of two faces, and those of nobody."""
    with torch.no_grad():
        return [whole.local_fac_prj(patches), whole.local_fac_prj(torch.zeros_like(patches[:1]))]


def change(processor: nn.Module) -> list[torch.Tensor]:
    """A block's gated update, and what it is after cross-attention."""
    x, text, faces = seeded("x", 2, TOKENS, 320) * 2, seeded("text", 2, 77, CONTEXT), seeded("tokens", 2, 16, CONTEXT)
    base, seen = attention(), []
    processor.ln, processor.scale = lambda value: base.norm2(seen.append(value) or value), WEIGHT
    with torch.no_grad():
        changed = processor(base, x, torch.cat([text, faces], 1))
    processor.ln = None
    return [seen[0], x + changed]


def find_unseen(encoder: nn.Module, whole: nn.Module, patches: torch.Tensor) -> list[str]:
    """Tensors that the golden does not see, but for TransFace's identity vector and training, which we leave out."""
    left = ("feature.", "senet.", "mask_token")
    unseen = [name for name in seeding.blind(encoder, encode, 1e-4) if not name.startswith(left)]
    resampler = nn.ModuleDict({"local_fac_prj": whole.local_fac_prj})
    first = processor(whole, BLOCKS[0])  # all are of one class and size, and each has its own golden
    resampled = seeding.blind(resampler, lambda module: resample(SimpleNamespace(**module), patches), 1e-4)
    return [*unseen, *resampled, *seeding.blind(first, change, 1e-4)]


def main(checkout: Path) -> None:
    theirs = read_classes(checkout)
    encoder, seen_by = calibrated(lambda: build_encoder(theirs, small=True), encode)
    (patches,) = encode(encoder)
    whole, rules = calibrated(lambda: build(theirs, small=True), lambda module: run(module, patches))
    if unseen := find_unseen(encoder, whole, patches):
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    constants = golden.write_layout(FOLDER / f"{ENCODER}.small.tsv", encoder.state_dict(), seen_by)
    for name in ADAPTERS:
        constants |= golden.write_layout(FOLDER / f"{name}.small.tsv", whole.state_dict(), rules)
    rates = partial(torch.linspace, device="cpu")  # the authors read numbers off it while they build
    with torch.device("meta"), patch.object(torch, "linspace", rates):
        full = dict.fromkeys(ADAPTERS, build(theirs, small=False)) | {ENCODER: build_encoder(theirs, small=False)}
    for name, module in full.items():
        golden.write_layout(FOLDER / f"{name}.tsv", module.state_dict(), dict.fromkeys(module.state_dict(), (0.0, 0.0)))
    source = {
        "repository": "https://github.com/modelscope/facechain",
        "commit": golden.commit(checkout),
        "file": "face_adapter/vit.py, face_adapter_v1.py, face_attention_processor_v1.py",
        "class": "VisionTransformer, Face_Prj_Resampler, FaceAttnProcessor2_0",
    }
    made = {"patches": patches, **dict(zip(("tokens", "nobody"), resample(whole, patches), strict=True))}
    for name in BLOCKS:
        made[f"gated.{name}"], made[f"block.{name}"] = change(processor(whole, name))
    golden.write_golden(FOLDER / "golden.json", source, made, constants)


def calibrated(make: Callable[[], nn.Module], run: seeding.Run) -> tuple[nn.Module, seeding.Plan]:
    """The authors' module with seeded values, and the rules they follow."""
    module = make()
    rules = seeding.calibrate(module, seeding.plan(make), run)
    module.load_state_dict(seeding.fill(module.state_dict(), rules))
    return module, rules


if __name__ == "__main__":
    main(Path(sys.argv[1]))
