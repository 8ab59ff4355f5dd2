"""FaceChain-FACT in ComfyUI's sampler: ``adapters.py ours|theirs|apply CHECKOUT``, with ComfyUI's interpreter.

A UNet of SD 1.5's build, a fifth as wide, takes one step on a latent of 32 x 32, prompt and negative prompt. ``ours``
is the node's patch. ``theirs`` is the same weights in the authors' own classes, called from core's hook; CHECKOUT is
their repository. ``apply`` is the apply node once it knows the person.
"""

import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

answers = os.dup(1)
os.dup2(2, 1)  # what ComfyUI prints is no answer

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402
from serve import serve  # noqa: E402

from headless import comfyui  # noqa: E402

mode, checkout = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    import factories

    comfyui.start(factories.write_base(Path(folder)))
    from host.adapt import cases, toys

    house = cases.House.of()
    house.models["sd15"] = toys.model("sd15", width=64)
    adapter = house.binding.Adapter(cases.fact(house))
    person = house.person(1)


def theirs(block, x, tokens):
    """The authors' processor up to its cross-attention, with the weights of ours."""
    seen = torch.cat([x, block.linear(tokens)], 1)
    x = x + torch.tanh(block.alpha_attn) * block.attn(block.norm1(seen), SimpleNamespace(heads=8))[:, : x.shape[1], :]
    return x + torch.tanh(block.alpha_dense) * block.ff(block.norm2(x))


def authors_blocks():
    sys.path.insert(0, str(Path(checkout) / "face_adapter"))
    from face_attention_processor_v1 import FaceAttnProcessor2_0

    made = {}
    for key, block in adapter.blocks.items():
        made[key] = FaceAttnProcessor2_0(hidden_size=block.width, cross_attention_dim=block.context)
        made[key].load_state_dict(block.state_dict())
    return made


texts = toys.text("sd15", 1), toys.text("sd15", 2)
model = house.apply(house.model("sd15"), adapter, **person)
tokens = adapter.encode(None, *(person[name] for name in ("image", "faces")), None, None).person
if mode == "theirs":
    blocks, model = authors_blocks(), house.model("sd15").clone()

    def patch(x, options):
        block = blocks[(*options["block"], options["block_index"])]
        return theirs(block, x, tokens.expand(len(x), -1, -1))

    model.set_model_patch(patch, "middle_patch")
    ours = toys.sample(house.apply(house.model("sd15"), adapter, **person), *texts, size=(32, 32), steps=1)
    assert (ours - toys.sample(model, *texts, size=(32, 32), steps=1)).abs().max() < 1e-4 * ours.std()
os.dup2(answers, 1)
if mode == "apply":
    serve(lambda: house.apply(house.model("sd15"), adapter, weight=0.7, **person))
else:
    serve(lambda: toys.sample(model, *texts, size=(32, 32), steps=1))
