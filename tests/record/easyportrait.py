"""What another SegFormer gives on EasyPortrait's seeded weights: ``python tests/record/easyportrait.py``.

Writes the layouts and golden files of tests/parse/test_easyportrait.py. It is run by a Python that has transformers,
whose SegformerForSemanticSegmentation (Apache-2.0) is the oracle: the authors' own head may not be used commercially.
Two things are set by the authors' encoder and their file's names: the LayerNorms' eps is 1e-6, and in the head each
map's projection is followed by BatchNorm and ReLU.
"""

import re
import sys
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers.models.segformer import modeling_segformer as theirs

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/easyportrait"
SIZE = (64, 96)
WIDTHS, MIDDLE = (32, 64, 160, 256), 256
STEP = 7  # of the tensors, every so many are tried
# The oracle's names to the published ones.
NAMES = (
    (r"segformer\.stages\.(\d)\.patch_embeddings\.proj", r"backbone.layers.\1.0.projection"),
    (r"segformer\.stages\.(\d)\.patch_embeddings\.layer_norm", r"backbone.layers.\1.0.norm"),
    (r"segformer\.stages\.(\d)\.layer_norm", r"backbone.layers.\1.2"),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)", r"backbone.layers.\1.1.\2"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.[qkv]_proj\.", "attn.attn.in_proj_"),
    (r"attention\.o_proj", "attn.attn.out_proj"),
    (r"attention\.sequence_reduction\.sequence_reduction", "attn.sr"),
    (r"attention\.sequence_reduction\.layer_norm", "attn.norm"),
    (r"mlp\.fc1", "ffn.layers.0"),
    (r"mlp\.dwconv\.dwconv", "ffn.layers.1"),
    (r"mlp\.fc2", "ffn.layers.4"),
    (r"linear_projections\.(\d)\.proj\.linear", r"convs.\1.conv"),
    (r"linear_projections\.(\d)\.proj\.bn", r"convs.\1.bn"),
    (r"linear_fuse", "fusion_conv.conv"),
    (r"decode_head\.batch_norm", "decode_head.fusion_conv.bn"),
    (r"classifier", "conv_seg"),
)


class Projection(nn.Module):
    """(B, L, C) tokens through a convolution of one pixel, BatchNorm and ReLU, as the file's convs are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear, self.bn = nn.Linear(width, MIDDLE, bias=False), nn.BatchNorm1d(MIDDLE)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.linear(x).mT).relu().mT


class Published:
    """The oracle under the published names."""

    def __init__(self, network: nn.Module, rules: seeding.Plan) -> None:
        self.network, self.rules = network, {}
        layout = {}
        for name, tensor in network.state_dict().items():
            shape, rule = list(tensor.shape), rules[name]
            if ".attention." in name and "_proj." in name and "o_proj" not in name:
                shape[0] *= 3
            if name.endswith(("fc1.weight", "fc2.weight", "linear.weight")):
                shape += [1, 1]
            layout[publish(name)] = torch.empty(shape, dtype=tensor.dtype)
            self.rules.setdefault(publish(name), rule)
        self.tensors = seeding.fill(layout, self.rules)

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors

    def run(self) -> list[Tensor]:
        """The logits; of what the tensors are now."""
        mapped = {}
        for name, like in self.network.state_dict().items():
            value = self.tensors[publish(name)]
            if found := re.search(r"attention\.([qkv])_proj\.", name):
                value = value.chunk(3)["qkv".index(found[1])]
            if name == "decode_head.linear_fuse.weight":  # the oracle joins the coarsest map first
                value = torch.cat(value.split(MIDDLE, 1)[::-1], 1)
            mapped[name] = value.reshape(like.shape)
        self.network.load_state_dict(mapped)
        return run(self.network)


def publish(name: str) -> str:
    for pattern, published in NAMES:
        name = re.sub(pattern, published, name)
    return name


def make(classes: int) -> nn.Module:
    config = theirs.SegformerConfig(
        num_labels=classes,
        depths=[2, 2, 2, 2],
        sr_ratios=[8, 4, 2, 1],
        hidden_sizes=list(WIDTHS),
        num_attention_heads=[1, 2, 5, 8],
        patch_sizes=[7, 3, 3, 3],
        strides=[4, 2, 2, 2],
        mlp_ratios=[4, 4, 4, 4],
        decoder_hidden_size=MIDDLE,
    )
    network = theirs.SegformerForSemanticSegmentation(config)
    for width, projection in zip(WIDTHS, network.decode_head.linear_projections, strict=True):
        projection.proj = Projection(width)
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6
    return network.eval()


def run(network: nn.Module) -> list[Tensor]:
    with torch.no_grad():
        return [network(seeding.noise("picture", torch.Size([2, 3, *SIZE])).float() * 2).logits]


def main() -> None:
    for kind, classes in (("fp", 8), ("ps", 2)):
        network = make(classes)
        rules = seeding.calibrate(network, seeding.plan(lambda classes=classes: make(classes)), run)
        published = Published(network, rules)
        if unseen := list(seeding.blind(published, lambda it: it.run(), 1e-4, STEP)):
            raise RuntimeError(f"Expected a golden that sees every tensor, got one blind to {', '.join(unseen)}.")
        constants = golden.write_layout(
            FOLDER / f"easyportrait_segformer_b0_{kind}_512.tsv", published.tensors, published.rules
        )
        source = {
            "repository": "https://github.com/huggingface/transformers",
            "version": transformers.__version__,
            "file": "src/transformers/models/segformer/modeling_segformer.py",
            "sha256": golden.sha256(Path(theirs.__file__)),
            "class": "SegformerForSemanticSegmentation",
        }
        (logits,) = published.run()
        golden.write_golden(
            FOLDER / f"easyportrait_segformer_b0_{kind}_512.json", source, {"logits": logits}, constants
        )


if __name__ == "__main__":
    main()
