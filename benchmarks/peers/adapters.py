"""An identity adapter in ComfyUI's sampler: ``adapters.py ours|theirs|apply CASE CHECKOUT``, with its interpreter.

CASE is one of tests/host/adapt/cases.py. A UNet of the build that it is for, a fifth as wide, takes one step on a
latent of 32 x 32, prompt and negative prompt. ``ours`` is the node's patch. ``theirs`` is the same weights in the
authors' own classes, called in core's blocks; CHECKOUT is their repository. ``apply`` is the apply node once it knows
the person. Both attend by PyTorch, as ComfyUI does on most graphics cards: what it does on a processor is slower, and
authors' processors know nothing of it.
"""

import os
import sys
import tempfile
from pathlib import Path

answers = os.dup(1)
os.dup2(2, 1)  # what ComfyUI prints is no answer

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402
from authors import THEIRS  # noqa: E402
from serve import serve  # noqa: E402

from headless import comfyui  # noqa: E402

WIDTH = 64
mode, name, checkout = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    import factories

    sys.path.insert(0, os.environ.get("COMFYUI_PATH") or str(Path("~/comfy/ComfyUI").expanduser()))
    from comfy.cli_args import args  # noqa: TID251 - where both sides run

    args.use_pytorch_cross_attention = True
    comfyui.start(factories.write_base(Path(folder)))
    from host.adapt import cases, toys

    house, case = cases.House.of(), next(case for case in cases.CASES if case.name == name)
    house.tested.append(case)
    house.models[case.kind] = toys.model(case.kind, width=WIDTH)
    adapter = house.binding.Adapter(case.network(house))
    person = house.person(1)


def sample(model: object, texts: tuple) -> torch.Tensor:
    return toys.sample(model, *texts, size=(32, 32), steps=1)


texts = toys.text(case.kind, 1), toys.text(case.kind, 2)
model = house.apply(house.model(case.kind), adapter, **person)
if mode == "theirs":
    (who,), ours = model.model_options["transformer_options"][house.sampling.PEOPLE], sample(model, texts)
    model = toys.model(case.kind, width=WIDTH)
    blocks = dict(house.sampling.transformer_blocks(model))
    texts = THEIRS[name](Path(checkout), who, model, blocks, texts)
    assert (ours - sample(model, texts)).abs().max() < 1e-4 * ours.std()
os.dup2(answers, 1)
if mode == "apply":
    serve(lambda: house.apply(house.model(case.kind), adapter, weight=0.7, **person))
else:
    serve(lambda: sample(model, texts))
