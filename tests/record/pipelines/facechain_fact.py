"""Where FaceChain-FACT's own pipeline leads: ``python tests/record/pipelines/facechain_fact.py CHECKOUT``.

Writes tests/checkpoints/facechain_fact/pipeline/. CHECKOUT is one of
https://github.com/modelscope/facechain; it needs diffusers, opencv-python-headless and scikit-image. Two seeded crops
stand for what the authors' detector and segmentation make of photos; what the text encoder says is seeded too. As in
their inference the negative prompt is told of nobody.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import denoisers
import diffusers
from denoisers import CHECKPOINTS, seeded
from PIL import Image
from torch import nn

import golden
from likeness.adapt.facechain_fact import plant

FOLDER = CHECKPOINTS / "facechain_fact/pipeline"
STEPS, SCALE, FACES = 4, 0.5, 2


def stand_in(*missing: str, **contents: Any) -> None:
    """Modules that the authors import and that nothing here calls."""
    for name in missing:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(contents)


def crops() -> list[Image.Image]:
    """Faces as they are aligned."""
    pictures = (seeded("crops", FACES, 112, 112, 3) * 127 + 128).byte().numpy()
    return [Image.fromarray(picture) for picture in pictures]


def build_encoder(theirs: Any) -> nn.Module:
    """TransFace, the second file."""
    return theirs.vit.VisionTransformer(112, 9, num_classes=64, embed_dim=64, depth=2, num_heads=8).eval()


def build(theirs: Any) -> tuple[nn.Module, Any]:
    """What the authors' two files hold, and their adapter, which works with it."""
    faces = object.__new__(theirs.Face_Extracter_v1)
    nn.Module.__init__(faces)
    faces.face_transformer = object.__new__(theirs.Face_Transformer)
    nn.Module.__init__(faces.face_transformer)
    faces.face_transformer.net = build_encoder(theirs)
    faces.face_prj_wofc = theirs.Face_Prj_Resampler(
        dim=128, depth=2, dim_head=64, heads=2, num_queries=16, embedding_dim=64, output_dim=48
    ).eval()
    adapter = object.__new__(theirs.FaceAdapter_v1)
    adapter.device, adapter.cfg_face, adapter.delayed_face_condition = "cpu", True, 0.0
    adapter.face_extracter, adapter.segmentation_pipeline, adapter.face_detection = faces, None, None
    adapter.pipe = denoisers.pipeline(theirs.StableDiffusionPipeline, "sd15")
    adapter.set_adapter()
    adapter.pipe.unet.float()
    adapter.set_scale(SCALE)
    whole = nn.Module()
    whole.local_fac_prj = faces.face_prj_wofc
    for name, processor in adapter.pipe.unet.attn_processors.items():
        if isinstance(processor, theirs.FaceAttnProcessor):
            processor.held = [processor.ln]  # the denoiser's own norm is none of the adapter's
            processor.ln = None
            plant(whole, name, processor)
    return whole, adapter


def main(checkout: Path) -> None:
    stand_in("timm", "timm.models", "modelscope", "modelscope.utils")
    stand_in("timm.models.layers", DropPath=lambda rate: nn.Identity(), to_2tuple=lambda size: (size, size))
    sys.modules["timm.models.layers"].trunc_normal_ = nn.init.trunc_normal_
    stand_in(
        "modelscope.outputs", "modelscope.pipelines", "modelscope.utils.constant", OutputKeys=0, pipeline=0, Tasks=0
    )
    diffusers.pipelines.controlnet.MultiControlNetModel = diffusers.MultiControlNetModel  # where it used to be
    sys.path.insert(0, str(checkout))
    from face_adapter import face_adapter_v1 as theirs

    whole, adapter = build(theirs)
    constants = denoisers.seed(whole, lambda: build(theirs)[0], FOLDER / "adapter.tsv")
    encoder = adapter.face_extracter.face_transformer.net
    constants |= denoisers.seed(
        encoder, lambda: build(theirs)[1].face_extracter.face_transformer.net, FOLDER / "transface.tsv"
    )
    for processor in adapter.pipe.unet.attn_processors.values():
        if isinstance(processor, theirs.FaceAttnProcessor):
            (processor.ln,) = processor.held
    theirs.face_image_preprocess = lambda image, *rest: image
    text = seeded("texts", 2, 77, denoisers.CONTEXT["sd15"])  # the negative prompt first
    adapter.pipe._encode_prompt = lambda *args, **more: text
    call = denoisers.call() | {"num_inference_steps": STEPS}
    adapter.generate(face_image=crops(), prompt="", negative_prompt="", **call)
    source = {
        "repository": "https://github.com/modelscope/facechain",
        "commit": golden.commit(checkout),
        "file": "face_adapter/face_adapter_v1.py, face_attention_processor_v1.py, vit.py",
        "class": "FaceAdapter_v1, Face_Extracter_v1, FaceAttnProcessor2_0, VisionTransformer",
    }
    golden.write_golden(FOLDER / "golden.json", source, adapter.pipe.scheduler.outputs(), constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
