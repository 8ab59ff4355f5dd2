"""What the W+ adapter's own classes give on seeded weights: ``python tests/record/wplus_adapter.py CHECKOUT``.

Writes the layouts and the golden file of tests/adapt/test_wplus_adapter.py. CHECKOUT is one of
https://github.com/csxmli2016/w-plus-adapter. Values are those of a small size, whose blocks are all as wide as SD 1.5's
first and whose codes have rows of 64 numbers.
"""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/wplus_adapter"
STEMS = ("wplus_adapter", "wplus_adapter_stage1")
LEVELS = {"down": (320, 640, 1280), "up": (1280, 640, 320), "mid": (1280,)}  # that have attention
EACH = {"down": 2, "up": 3, "mid": 1}  # blocks of a level
CONTEXT, HEADS, TOKENS, WEIGHT, ROW = 768, 8, 24, 0.8, 64


def read_classes(checkout: Path) -> SimpleNamespace:
    """The authors' classes; their pipeline, which asks for diffusers, is not needed."""
    sys.path.insert(0, str(checkout / "w_plus_adapter"))
    import attention_processor

    tree = ast.parse((checkout / "w_plus_adapter/w_plus_adapter.py").read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) == "WProjModel"]
    found = {"torch": torch}
    exec(compile(tree, "w_plus_adapter.py", "exec"), found)  # noqa: S102 - a checkout that the caller trusts
    return SimpleNamespace(
        projection=found["WProjModel"],
        processor=attention_processor.WPlusAttnProcessor2_0,
        plain=attention_processor.AttnProcessor2_0,
    )


def build(theirs: SimpleNamespace, small: bool) -> nn.Module:
    """The two parts of a file: processors numbered as diffusers does, self-attention's without tensors."""
    whole = nn.Module()
    whole.w_proj = theirs.projection(CONTEXT, ROW if small else 512)
    widths = [width for part, levels in LEVELS.items() for width in levels for _ in range(EACH[part])]
    made = []
    for width in widths:
        made += [theirs.plain(), theirs.processor(320 if small else width, CONTEXT)]
    whole.wplus_adapter = nn.ModuleList(made)
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


def project(projection: nn.Module) -> list[torch.Tensor]:
    """The tokens of two codes, and those of nobody."""
    codes = seeded("codes", 2, 18, ROW) * 2
    with torch.no_grad():
        return [projection(codes), projection(torch.zeros_like(codes[:1]))]


def change(processor: nn.Module) -> list[torch.Tensor]:
    """A residual stream after cross-attention with a text and a person."""
    x, text, tokens = seeded("x", 2, TOKENS, 320) * 2, seeded("text", 2, 77, CONTEXT), seeded("tokens", 2, 4, CONTEXT)
    base = attention()
    processor.scale = WEIGHT
    with torch.no_grad():
        return [x + processor(base, base.norm2(x), torch.cat([text, tokens * 2], 1))]


def run(whole: nn.Module) -> list[torch.Tensor]:
    return [*project(whole.w_proj), *(made for one in whole.wplus_adapter[1::2] for made in change(one))]


def main(checkout: Path) -> None:
    theirs = read_classes(checkout)
    whole = build(theirs, small=True)
    rules = seeding.calibrate(whole, seeding.plan(lambda: build(theirs, small=True)), run)
    whole.load_state_dict(seeding.fill(whole.state_dict(), rules))
    blocks = list(whole.wplus_adapter[1::2])
    unseen = [*seeding.blind(whole.w_proj, project, 1e-4)]
    unseen += [name for block in blocks for name in seeding.blind(block, change, 1e-4)]
    if unseen:
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    with torch.device("meta"):
        full = build(theirs, small=False).state_dict()
    for stem in STEMS:
        constants = golden.write_layout(FOLDER / f"{stem}.small.tsv", whole.state_dict(), rules)
        golden.write_layout(FOLDER / f"{stem}.tsv", full, dict.fromkeys(full, (0.0, 0.0)))
    source = {
        "repository": "https://github.com/csxmli2016/w-plus-adapter",
        "commit": golden.commit(checkout),
        "file": "w_plus_adapter/w_plus_adapter.py, attention_processor.py",
        "class": "WProjModel, WPlusAttnProcessor2_0",
    }
    made = dict(zip(("tokens", "nobody"), project(whole.w_proj), strict=True))
    made |= {f"block.{number}": change(block)[0] for number, block in enumerate(blocks)}
    golden.write_golden(FOLDER / "golden.json", source, made, constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
