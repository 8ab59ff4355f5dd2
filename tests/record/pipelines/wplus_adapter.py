"""Where the W+ adapter's own pipeline leads: ``python tests/record/pipelines/wplus_adapter.py CHECKOUT``.

Writes tests/checkpoints/wplus_adapter/pipeline/. CHECKOUT is one of
https://github.com/csxmli2016/w-plus-adapter; it needs diffusers and transformers. The code is seeded, and so is what
the text encoder says. The authors' class puts everything in half precision: here it is put back before it is filled.
"""

import sys
from pathlib import Path

import denoisers
from denoisers import CHECKPOINTS, seeded
from torch import nn

import golden

FOLDER = CHECKPOINTS / "wplus_adapter/pipeline"
STEPS, START, SCALE = 8, 30, 0.8  # of 8 steps those from 0 to 2 do not see the code


def parts(adapter: object) -> nn.Module:
    """What their file holds."""
    whole = nn.Module()
    whole.w_proj = adapter.w_proj_model
    whole.wplus_adapter = nn.ModuleList(adapter.pipe.unet.attn_processors.values())
    return whole


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    from w_plus_adapter.w_plus_adapter import WPlusAdapter
    from w_plus_adapter.wplus_pipeline import StableDiffusionWPlusPipeline

    pipe = denoisers.pipeline(StableDiffusionWPlusPipeline, "sd15")

    def build() -> WPlusAdapter:
        adapter = object.__new__(WPlusAdapter)
        adapter.device, adapter.num_tokens, adapter.pipe = "cpu", 4, pipe
        adapter.set_wplus_adapter()
        adapter.pipe.unet.float()
        adapter.w_proj_model = adapter.init_proj().float()
        return adapter

    adapter = build()
    whole = parts(adapter)
    constants = denoisers.seed(whole, lambda: parts(build()), FOLDER / "adapter.tsv")
    adapter.pipe.unet.set_attn_processor(dict(zip(pipe.unet.attn_processors, whole.wplus_adapter, strict=True)))
    text = seeded("texts", 2, 77, denoisers.CONTEXT["sd15"])  # the negative prompt first
    pipe._encode_prompt = lambda *args, **more: text
    adapter.generate_idnoise(
        w=seeded("code", 1, 18, 512) * 2,
        scale=SCALE,
        num_samples=1,
        seed=None,
        num_inference_steps=STEPS,
        start_embed_step_ratio=START,
        **denoisers.call(),
    )
    source = {
        "repository": "https://github.com/csxmli2016/w-plus-adapter",
        "commit": golden.commit(checkout),
        "file": "w_plus_adapter/w_plus_adapter.py, wplus_pipeline.py, attention_processor.py",
        "class": "WPlusAdapter, StableDiffusionWPlusPipeline, WPlusAttnProcessor2_0",
    }
    golden.write_golden(FOLDER / "golden.json", source, pipe.scheduler.outputs(), constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
