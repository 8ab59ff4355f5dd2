"""What PVA's own code gives on seeded weights: ``python tests/record/pva.py CHECKOUT``.

Writes the layouts and the golden file of tests/adapt/test_pva.py. CHECKOUT is a checkout of
https://github.com/AtlantixJJ/PVA-CelebAHQ-IDI, which also holds the diffusers that it is built on. Of the full sizes
there is the layout alone; values are those of a small size, whose blocks are all as wide as Stable Diffusion 2's first.
"""

import ast
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding
from likeness.adapt import unet
from likeness.adapt.facechain_fact import plant

FOLDER = Path(__file__).parents[1] / "checkpoints/pva"
OURS, DIFFUSERS = "lib/pva.py", "thirdparty/diffusers/src/diffusers/models/attention_processor.py"
WANTED = {OURS: {"pva_forward", "change_forward", "TransformNetwork"}, DIFFUSERS: {"Attention", "AttnProcessor"}}
LEVELS = {"down_blocks": (320, 640, 1280), "up_blocks": (1280, 1280, 640, 320), "mid_block": (1280,)}
BLOCKS = list(unet.blocks("sd15"))
HEADS, HEAD, TOKENS = 5, 64, 24
SMALL = {"in_dim": 64, "out_dim": 128, "num_layer": 2, "num_q_token": 4}
FULL = {"in_dim": 512, "out_dim": 1024, "num_layer": 4, "num_q_token": 10}  # id_trans_net of every config of theirs


class BasicTransformerBlock(nn.Module):
    """A block of diffusers as far as ``change_forward`` looks at it."""

    def __init__(self, attn2: nn.Module) -> None:
        super().__init__()
        self.attn2 = attn2


def read(checkout: Path) -> SimpleNamespace:
    """The authors' functions and classes; what they import at the top is not needed."""
    found: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "BasicTransformerBlock": BasicTransformerBlock}
    exec("from typing import Callable, Optional, Union", found)  # noqa: S102
    for file, names in WANTED.items():
        tree = ast.parse((checkout / file).read_text())
        kept = [node for node in tree.body if getattr(node, "name", None) in names]
        whole = next((node for node in tree.body if getattr(node, "name", None) == "PVADiffusion"), None)
        kept += [node for node in whole.body if getattr(node, "name", None) == "simple_state_dict"] if whole else []
        tree.body = kept
        exec(compile(tree, file, "exec"), found)  # noqa: S102 - a checkout that the caller trusts
    return SimpleNamespace(**found)


def build(theirs: SimpleNamespace, arch: dict[str, int]) -> nn.Module:
    """What their diffusion model has that is of interest: the TransformNetwork, the changed attentions, the word."""
    whole, small = nn.Module(), arch == SMALL
    whole.transform_network = theirs.TransformNetwork(**arch)
    whole.tuned_embedding = nn.Module()
    whole.tuned_embedding.modifier_vec = nn.Parameter(torch.randn(arch["out_dim"]))
    whole.unet = nn.Module()
    for name in BLOCKS:
        part, level = name.split(".")[:2]
        width = HEADS * HEAD if small else LEVELS[part][0 if part == "mid_block" else int(level)]
        attn = theirs.Attention(width, arch["out_dim"], width // HEAD, HEAD, processor=theirs.AttnProcessor())
        plant(whole.unet, name, BasicTransformerBlock(attn))
    theirs.change_forward(whole.unet)
    return whole.eval()


def saved(theirs: SimpleNamespace, whole: nn.Module) -> dict[str, torch.Tensor]:
    """What they save of it, dicts joined by dots."""
    asked = SimpleNamespace(
        tuned_embedding=whole.tuned_embedding, trans_net=whole.transform_network, unet=whole.unet, tune_unet="PVA"
    )
    asked.cfg, asked.tune_clip, asked.tune_facenet = {"id_trans_net": {}}, "None", "None"
    kept = theirs.simple_state_dict(asked, SimpleNamespace(unwrap_model=lambda module: module))
    flat = {}
    for name, held in kept.items():
        flat |= {name: held} if torch.is_tensor(held) else {f"{name}.{leaf}": tensor for leaf, tensor in held.items()}
    return flat


def seeded(name: str, *shape: int) -> torch.Tensor:
    return seeding.noise(name, torch.Size(shape)).float()


def base(whole: nn.Module) -> Iterable[tuple[str, torch.Tensor]]:
    """The seeded values of the blocks' own projections, the same in all."""
    for name, held in whole.unet.state_dict().items():
        leaf = name.split(".attn2.")[1]
        if "visual" not in leaf:
            yield f"unet.{name}", seeded(f"base.{leaf}", *held.shape) * (3 / held.shape[-1]) ** 0.5


def run(whole: nn.Module, blocks: Iterable[str] = tuple(BLOCKS)) -> list[torch.Tensor]:
    return [*transform(whole), *(attend(whole, name) for name in blocks)]


def transform(whole: nn.Module) -> list[torch.Tensor]:
    """The tokens of two people with three references each, and of two with one."""
    with torch.no_grad():
        return [whole.transform_network(seeded(f"references{count}", 2, count, SMALL["in_dim"])) for count in (3, 1)]


def attend(whole: nn.Module, name: str) -> torch.Tensor:
    """What a block's cross-attention adds to the residual stream."""
    size = SMALL["out_dim"]
    x, text = seeded("x", 2, TOKENS, HEADS * HEAD) * 2, seeded("text", 2, 77, size)
    tokens = seeded("tokens", 2, SMALL["num_q_token"], size) * 2
    with torch.no_grad():
        normed = F.layer_norm(x, x.shape[-1:], seeded("base.norm2.weight", x.shape[-1]) * 0.1 + 1)
        return whole.unet.get_submodule(name).attn2(normed, torch.cat([text, tokens], 1))


def main(checkout: Path) -> None:
    theirs = read(checkout)
    make = partial(build, theirs, SMALL)
    whole = make()
    rules = seeding.calibrate(whole, seeding.plan(make), run) | dict(base(whole))  # the blocks' own as they are
    whole.load_state_dict(seeding.fill(whole.state_dict(), rules))
    first = whole.unet.get_submodule(BLOCKS[0])  # all are of one class and size, and each has its own golden
    unseen = list(seeding.blind(first, lambda _: [attend(whole, BLOCKS[0])], 1e-4))
    unseen += seeding.blind(whole.transform_network, lambda _: transform(whole), 1e-4)
    if unseen:
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    names = {f"transform_network.{name}": f"transform_network.{name}" for name in whole.transform_network.state_dict()}
    names |= {"modifier_vec": "tuned_embedding.modifier_vec"}
    tensors = saved(theirs, whole)
    constants = golden.write_layout(
        FOLDER / "pva.small.tsv", tensors, {name: rules[names.get(name, name)] for name in tensors}
    )
    full = saved(theirs, build(theirs, FULL))
    golden.write_layout(FOLDER / "pva.tsv", full, dict.fromkeys(full, (0.0, 0.0)))
    source = {
        "repository": "https://github.com/AtlantixJJ/PVA-CelebAHQ-IDI",
        "commit": golden.commit(checkout),
        "file": f"{OURS}, {DIFFUSERS}",
        "class": "TransformNetwork, pva_forward, change_forward, PVADiffusion.simple_state_dict, Attention",
    }
    made = dict(zip(("tokens3", "tokens1"), transform(whole), strict=True))
    made |= {f"attention.{name}": attend(whole, name) for name in BLOCKS}
    golden.write_golden(FOLDER / "golden.json", source, made, constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
