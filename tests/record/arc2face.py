"""What Arc2Face's own code gives on seeded weights: ``python tests/record/arc2face.py CHECKOUT TOKENIZER``.

Writes the layouts and the golden files of tests/host/adapt/test_arc2face.py and tests/adapt/test_arc2face.py. CHECKOUT
is a checkout of https://github.com/foivospar/Arc2Face; its classes need transformers 4.36, its expression adapter is
run by diffusers 0.29.2, which it names. TOKENIZER is a folder with CLIP's vocabulary, such as ``comfy/sd1_tokenizer``
of a ComfyUI. The published sizes are laid out without storage; values are those of a text model of two layers, and of
blocks that are all as wide as SD 1.5's first. Of the expression adapter's file the layout is what diffusers looks for.
"""

import sys
import types
from pathlib import Path
from types import SimpleNamespace

import diffusers
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding
from likeness.adapt import unet as unet_names

FOLDER = Path(__file__).parents[1] / "checkpoints/arc2face"
UNET = Path(__file__).parents[1] / "host/adapt/arc2face_unet.tsv"
ENCODER, EXPRESSION = "arc2face_encoder", "arc2face_exp_adapter"
CLIP_L = {"hidden_size": 768, "num_attention_heads": 12, "projection_dim": 768, "hidden_act": "quick_gelu"}
PUBLISHED = {"intermediate_size": 3072, "num_hidden_layers": 12}
SMALL = {"intermediate_size": 128, "num_hidden_layers": 2}
BLIND = "k_proj.bias"  # the same for all that a query looks at: attention does not see it
NUMBERS, TOKENS, CONTEXT, HEADS, WEIGHT = 55, 4, 768, 8, 0.8
LEVELS = (320, 640, 1280, 1280)
PATCHES = 24  # image tokens


def read_code(checkout: Path) -> SimpleNamespace:
    """The authors' class and their function, without what else their package imports at the top."""
    package = types.ModuleType("arc2face")
    package.__path__ = [str(checkout / "arc2face")]
    sys.modules["arc2face"] = package
    from arc2face.models import CLIPTextModelWrapper
    from arc2face.utils import project_face_embs

    return SimpleNamespace(model=CLIPTextModelWrapper, project=project_face_embs)


def identities() -> Tensor:
    """(2, 512) two people, as ArcFace would give them, of length 1."""
    vectors = torch.stack([seeding.noise(name, torch.Size([512])).float() for name in ("one", "two")])
    return nn.functional.normalize(vectors, dim=-1)


def record_encoder(checkout: Path, vocabulary: Path) -> None:
    """Two people in the prompt, and the text model's layouts."""
    theirs, tokenizer = read_code(checkout), CLIPTokenizer.from_pretrained(vocabulary, model_max_length=77)

    def make(sizes: dict[str, int] = SMALL) -> nn.Module:
        return theirs.model(CLIPTextConfig(**CLIP_L, **sizes)).eval()

    def run(model: nn.Module) -> list[Tensor]:
        pipeline = SimpleNamespace(tokenizer=tokenizer, text_encoder=model, device="cpu")
        return [theirs.project(pipeline, one[None]) for one in identities()]

    model = make()
    rules = seeding.calibrate(model, seeding.plan(make), run)
    model.load_state_dict(seeding.fill(model.state_dict(), rules))
    check_seen(model, run)
    constants = golden.write_layout(FOLDER / f"{ENCODER}.small.tsv", model.state_dict(), rules)
    with torch.device("meta"):
        write_whole(ENCODER, make(PUBLISHED))
    source = {
        "repository": "https://github.com/foivospar/Arc2Face",
        "commit": golden.commit(checkout),
        "file": "arc2face/models.py, arc2face/utils.py",
        "class": "CLIPTextModelWrapper, project_face_embs",
    }
    made = dict(zip(("one", "two"), run(model), strict=True))
    golden.write_golden(FOLDER / f"{ENCODER}.small.json", source, made, constants)


class Layout(nn.Module):
    """The tensors of the file under the names that diffusers looks for; it computes nothing."""

    def __init__(self, levels: tuple[int, ...], hidden: int | None) -> None:
        super().__init__()
        self.image_proj, self.ip_adapter = nn.Module(), nn.ModuleDict()
        out = TOKENS * CONTEXT
        deep = hidden and nn.Sequential(nn.Linear(NUMBERS, hidden), nn.GELU(), nn.Linear(hidden, out))
        self.image_proj.proj = deep or nn.Linear(NUMBERS, out)
        self.image_proj.norm = nn.LayerNorm(CONTEXT)
        for i, width in enumerate(widths(levels)):
            linear = {name: nn.Linear(CONTEXT, width, bias=False) for name in ("to_k_ip", "to_v_ip")}
            self.ip_adapter[str(2 * i + 1)] = nn.ModuleDict(linear)


def widths(levels: tuple[int, ...]) -> list[int]:
    """Of the sixteen blocks in diffusers' order."""
    up = levels[::-1]
    return [levels[i] for i in (0, 0, 1, 1, 2, 2)] + [up[i] for i in (1, 1, 1, 2, 2, 2, 3, 3, 3)] + [levels[-1]]


def seeded(name: str, *shape: int) -> Tensor:
    return seeding.noise(name, torch.Size(shape)).float()


def build_unet() -> UNet2DConditionModel:
    """SD 1.5's build, every level as wide as the first; its cross-attention and that one's norm are seeded."""
    unet = UNet2DConditionModel(block_out_channels=(320,) * 4, cross_attention_dim=CONTEXT, attention_head_dim=HEADS)
    for name in unet_names.blocks("sd15"):
        block = unet.get_submodule(name)
        for part in ("norm2", "to_q", "to_k", "to_v", "to_out.0"):
            module = block.norm2 if part == "norm2" else block.attn2.get_submodule(part)
            for leaf, held in module.named_parameters():
                value = seeded(f"base.{part}.{leaf}", *held.shape) * (3 / held.shape[-1]) ** 0.5
                held.data = value + (f"{part}.{leaf}" == "norm2.weight")
    return unet.eval()


def run_expression(unet: UNet2DConditionModel, layout: nn.Module) -> dict[str, Tensor]:
    """What diffusers makes of a file: the tokens of two rows, an expression's and of zeros, and each block's answer."""
    groups: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in layout.state_dict().items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    unet._load_ip_adapter_weights([groups])
    unet.set_attn_processor({name: scaled(held) for name, held in unet.attn_processors.items()})
    numbers = torch.stack([seeded("expression", NUMBERS), torch.zeros(NUMBERS)])[:, None]
    x, text = seeded("x", 2, PATCHES, 320) * 2, seeded("text", 2, 77, CONTEXT)
    with torch.no_grad():
        (tokens,) = unet.encoder_hid_proj([numbers])
        made = {"tokens": tokens[:, 0]}
        for name in unet_names.blocks("sd15"):
            block = unet.get_submodule(name)
            made[f"block.{name}"] = x + block.attn2(block.norm2(x), encoder_hidden_states=(text, [tokens]))
    return made


def scaled(processor: nn.Module) -> nn.Module:
    """A processor at the weight that is recorded."""
    if hasattr(processor, "scale"):
        processor.scale = [WEIGHT]
    return processor


def record_expression(checkout: Path) -> None:
    """Both projections of a vector that diffusers knows: one layer, and two."""
    unet = build_unet()
    for stem, hidden in ((EXPRESSION, None), (f"{EXPRESSION}_deep", 2 * NUMBERS)):

        def make(hidden: int | None = hidden) -> nn.Module:
            return Layout((320,) * 4, hidden)

        layout = make()
        rules = seeding.plan(make)
        layout.load_state_dict(seeding.fill(layout.state_dict(), rules))
        check_seen(layout, lambda module: list(run_expression(unet, module).values()))
        constants = golden.write_layout(FOLDER / f"{stem}.small.tsv", layout.state_dict(), rules)
        with torch.device("meta"):
            write_whole(stem, Layout(LEVELS, hidden))
        source = {
            "repository": "https://github.com/huggingface/diffusers, as https://github.com/foivospar/Arc2Face calls it",
            "commit": f"diffusers {diffusers.__version__}, {golden.commit(checkout)}",
            "file": "gradio_demo/app_exp_adapter.py, diffusers/loaders/unet.py",
            "class": "UNet2DConditionModel, MultiIPAdapterImageProjection, IPAdapterAttnProcessor2_0",
        }
        golden.write_golden(FOLDER / f"{stem}.small.json", source, run_expression(unet, layout), constants)


def check_seen(module: nn.Module, run: seeding.Run) -> None:
    """Raise RuntimeError unless the golden sees every tensor."""
    if unseen := [name for name in seeding.blind(module, run, 1e-4) if not name.endswith(BLIND)]:
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")


def write_whole(stem: str, module: nn.Module) -> None:
    """The layout of the published size."""
    held = module.state_dict()
    golden.write_layout(FOLDER / f"{stem}.tsv", held, dict.fromkeys(held, (0.0, 0.0)))


def record_unet() -> None:
    """The names and shapes of the UNet as diffusers saves it: Stable Diffusion 1.5's."""
    with torch.device("meta"):
        held = UNet2DConditionModel(sample_size=64, cross_attention_dim=CONTEXT, attention_head_dim=HEADS).state_dict()
    lines = [f"{name}\t{' '.join(map(str, tensor.shape))}\n" for name, tensor in held.items()]
    UNET.write_text("".join(lines))


def main(checkout: Path, vocabulary: Path) -> None:
    record_unet()
    record_encoder(checkout, vocabulary)
    record_expression(checkout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
