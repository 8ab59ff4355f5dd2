"""Where PVA's own pipeline leads: ``python tests/record/pipelines/pva.py CHECKOUT``.

Writes tests/checkpoints/pva/pipeline/. CHECKOUT is one of https://github.com/AtlantixJJ/PVA-CelebAHQ-IDI,
which brings the diffusers that it is built on; that one needs transformers 4.36 and huggingface-hub below 0.26. Seeded
are the identity vectors, what the text encoder says, and the mask and what it leaves of the picture as latents.
"""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CHECKOUT = Path(sys.argv[1])
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "thirdparty/diffusers/src")]

import denoisers  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from denoisers import CHECKPOINTS, CONTEXT, SIZE, seeded  # noqa: E402
from lib.diffusers import BasicTransformerBlock, PVAInpaintPipeline  # noqa: E402
from torch import nn  # noqa: E402

import golden  # noqa: E402
from likeness.adapt import unet  # noqa: E402
from likeness.adapt.facechain_fact import plant  # noqa: E402

FOLDER, KIND, STEPS = CHECKPOINTS / "pva/pipeline", "sd2_inpaint", 4  # four steps of its scheduler are at whole numbers
WANTED = ("pva_forward", "change_forward", "TransformNetwork")


def read_code() -> SimpleNamespace:
    """The authors' functions and class; what else their file imports is not needed."""
    tree = ast.parse((CHECKOUT / "lib/pva.py").read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in WANTED]
    found: dict[str, Any] = {"torch": torch, "F": F, "BasicTransformerBlock": BasicTransformerBlock}
    exec(compile(tree, "pva.py", "exec"), found)  # noqa: S102 - a checkout that the caller trusts
    return SimpleNamespace(**found)


def build(theirs: SimpleNamespace) -> tuple[nn.Module, Any]:
    """What their file holds, and the pipeline that it is in."""
    pipe = denoisers.pipeline(PVAInpaintPipeline, KIND, steps=denoisers.Watched(**denoisers.BETAS))
    theirs.change_forward(pipe.unet)
    whole = nn.Module()
    whole.transform_network = theirs.TransformNetwork(in_dim=512, out_dim=CONTEXT[KIND], num_layer=2, num_q_token=4)
    whole.modifier_vec = nn.Parameter(torch.randn(CONTEXT[KIND]))
    for name in unet.blocks("sd15"):
        attn2, held = pipe.unet.get_submodule(f"{name}.attn2"), nn.Module()
        for part in "qkv":
            held.add_module(f"to_visual_{part}", attn2.get_submodule(f"to_visual_{part}"))
            nn.init.normal_(held.get_submodule(f"to_visual_{part}").weight)  # they begin as copies
        plant(whole, f"unet.{name}.attn2", held)
    return whole.eval(), pipe


def main() -> None:
    theirs = read_code()
    whole, pipe = build(theirs)
    constants = denoisers.seed(whole, lambda: build(theirs)[0], FOLDER / "adapter.tsv")
    text = seeded("texts", 2, 77, CONTEXT[KIND])  # the negative prompt first
    pipe._encode_prompt = lambda *args, **more: text
    mask, left = (seeded("mask", 1, 1, *SIZE) > 0).float(), seeded("left", 1, 4, *SIZE)
    pipe.prepare_mask_latents = lambda *args: (torch.cat([mask] * 2), torch.cat([left] * 2))
    with torch.no_grad():
        tokens = whole.transform_network(seeded("references", 1, 3, 512))
    picture = torch.zeros(1, 3, 64, 64)
    pipe(
        prompt="",
        image=picture,
        mask_image=picture[:, :1],
        extra_feats=tokens,
        num_inference_steps=STEPS,
        **denoisers.call(),
    )
    source = {
        "repository": "https://github.com/AtlantixJJ/PVA-CelebAHQ-IDI",
        "commit": golden.commit(CHECKOUT),
        "file": "lib/pva.py, lib/diffusers.py, thirdparty/diffusers",
        "class": "PVAInpaintPipeline, TransformNetwork, pva_forward, change_forward",
    }
    golden.write_golden(FOLDER / "golden.json", source, pipe.scheduler.outputs(), constants)


if __name__ == "__main__":
    main()
