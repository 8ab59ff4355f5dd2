"""What e4e and its StyleGAN2 give on seeded weights: ``python tests/record/e4e.py CHECKOUT``.

Writes the layouts and the golden file of tests/embed/test_e4e.py. CHECKOUT is one of
https://github.com/csxmli2016/w-plus-adapter. The published sizes, 300 M parameters, are laid out without storage;
values are those of the same classes with fewer channels. Its operators for CUDA can do without, as they do here.
"""

import ast
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch
import torch.utils.cpp_extension
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/e4e"
STEM = "e4e_ffhq_encode"
WIDTHS, DEPTHS = (16, 32, 48, 64), (3, 4, 14, 3)
CHANNELS = (32, 32, 32, 32, 16, 8, 8, 4, 4)  # at 4 to 1024 pixels
ROWS, SIDE = 18, 1024
KPS = ((190.0, 170), (262, 158), (232, 205), (205, 251), (268, 240))  # of a face that is tilted a little


class Published(nn.Module):
    """pSp as its checkpoint holds it: the average code lies beside the networks."""

    def __init__(self, theirs: SimpleNamespace, small: bool) -> None:
        super().__init__()
        self.theirs = theirs
        self.encoder = narrow_encoder(theirs) if small else theirs.encoders.Encoder4Editing(50, "ir_se")
        self.decoder = theirs.generator(small)(SIDE, WIDTHS[-1] if small else 512, 8)
        self.latent_avg = nn.Parameter(torch.randn(ROWS, WIDTHS[-1] if small else 512))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes and the pictures of them, by the authors' own forward."""
        psp = self.theirs.psp.__new__(self.theirs.psp)
        nn.Module.__init__(psp)
        psp.encoder, psp.decoder, psp.latent_avg = self.encoder, self.decoder, self.latent_avg
        psp.opts = SimpleNamespace(start_from_latent_avg=True)
        pictures, codes = psp(x, resize=False, randomize_noise=False, return_latents=True)
        return codes, pictures


def read_classes(checkout: Path) -> SimpleNamespace:
    """The authors' classes; nothing is compiled, nothing drawn."""
    plots = ModuleType("matplotlib")
    plots.use = lambda name: None
    sys.modules["matplotlib"] = plots
    sys.path.insert(0, str(checkout / "script"))
    with patch.object(torch.utils.cpp_extension, "load", lambda *given, **more: None):
        from models import helpers, psp, psp_encoders, stylegan2

    source = (checkout / "script/models/stylegan2.py").read_text()

    def generator(small: bool) -> type[nn.Module]:
        return narrowed(source) if small else stylegan2.Generator

    return SimpleNamespace(psp=psp.pSp, encoders=psp_encoders, attention=helpers.SEModule, generator=generator)


def narrowed(source: str) -> type[nn.Module]:
    """Their generator with another table of channels."""
    tree = ast.parse(source)
    (generator,) = [node for node in tree.body if getattr(node, "name", "") == "Generator"]
    (table,) = [node for node in ast.walk(generator) if isinstance(node, ast.Dict)]
    table.values = [ast.Constant(value) for value in CHANNELS]
    found: dict = {}
    exec(compile(ast.fix_missing_locations(tree), "stylegan2.py", "exec"), found)  # noqa: S102 - the caller's checkout
    return found["Generator"]


def narrow_encoder(theirs: SimpleNamespace) -> nn.Module:
    """Their encoder, put together of their parts with fewer channels; its forward is as it is."""
    encoders = theirs.encoders
    encoder = encoders.Encoder4Editing.__new__(encoders.Encoder4Editing)
    nn.Module.__init__(encoder)
    start, wide = WIDTHS[0], WIDTHS[-1]
    encoder.input_layer = nn.Sequential(
        nn.Conv2d(3, start, 3, 1, 1, bias=False), nn.BatchNorm2d(start), nn.PReLU(start)
    )
    body, width = [], start
    for out, depth in zip(WIDTHS, DEPTHS, strict=True):
        for number in range(depth):
            block = encoders.bottleneck_IR_SE(width, out, 2 if number == 0 else 1)
            block.res_layer[5] = theirs.attention(out, 2)  # of a sixteenth of so few channels some would all be 0
            body.append(block)
            width = out
    encoder.body = nn.Sequential(*body)
    encoder.style_count, encoder.coarse_ind, encoder.middle_ind = ROWS, 3, 7
    sides = [16 if row < 3 else 32 if row < 7 else 64 for row in range(ROWS)]
    encoder.styles = nn.ModuleList(encoders.GradualStyleBlock(wide, wide, side) for side in sides)
    encoder.latlayer1, encoder.latlayer2 = nn.Conv2d(WIDTHS[2], wide, 1), nn.Conv2d(WIDTHS[1], wide, 1)
    encoder.progressive_stage = encoders.ProgressiveStage.Inference
    return encoder


def run(whole: nn.Module) -> list[torch.Tensor]:
    """Codes of two faces, and the picture of the first."""
    with torch.no_grad():
        codes, _ = whole(seeding.noise("faces", torch.Size([2, 3, 256, 256])).float())
        return [codes, draw(whole, codes)]


def draw(whole: nn.Module, codes: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return whole.decoder([codes[:1]], input_is_latent=True, randomize_noise=False)[0]


def find_unseen(whole: nn.Module, codes: torch.Tensor) -> list[str]:
    """Tensors that the golden does not see, but for the way from noise to codes, which we leave out."""
    faces = seeding.noise("faces", torch.Size([2, 3, 256, 256])).float()[:1]

    def encode(encoder: nn.Module) -> list[torch.Tensor]:
        with torch.no_grad():
            return [encoder(faces)]

    unseen = [f"encoder.{name}" for name in seeding.blind(whole.encoder, encode, 1e-4)]
    style, whole.decoder.style = whole.decoder.style, nn.Identity()
    alone = SimpleNamespace(decoder=whole.decoder)  # of each level some tensors, and not the same ones
    drawn = seeding.blind(whole.decoder, lambda decoder: [draw(alone, codes)], 1e-4, step=7)
    unseen += [f"decoder.{name}" for name in drawn]
    whole.decoder.style = style
    return unseen


def align(checkout: Path) -> torch.Tensor:
    """(512, 512, 3) in [0, 1], the authors' cut of a picture that shows by its colours where each pixel is from."""
    import utils  # of script/
    from PIL import Image

    Image.ANTIALIAS = Image.LANCZOS  # the name that Pillow had for it
    landmarks = np.zeros((68, 2))
    ring = np.array([[-8.0, 0], [-4, -4], [4, -4], [8, 0], [4, 4], [-4, 4]])
    left, right, nose, corner, other = np.array(KPS)
    landmarks[36:42], landmarks[42:48] = left + ring, right + ring
    landmarks[30], landmarks[48], landmarks[54] = nose, corner, other
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ramps.png")
        Image.fromarray((ramps().numpy() * 255).round().astype(np.uint8)).save(path)
        cut, _ = utils.align_face(str(path), landmarks)
    return torch.from_numpy(np.asarray(cut).astype(np.float32)) / 255


def ramps() -> torch.Tensor:
    """(420, 480, 3) red to the right, green downwards, blue in waves."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 420), torch.linspace(0, 1, 480), indexing="ij")
    return torch.stack([x, y, 0.5 + 0.5 * torch.sin(12 * x + 9 * y)], -1)


def main(checkout: Path) -> None:
    theirs = read_classes(checkout)
    about = {"repository": "https://github.com/csxmli2016/w-plus-adapter", "commit": golden.commit(checkout)}
    aligned = {**about, "file": "script/utils.py", "class": "align_face"}
    golden.write_golden(FOLDER / "alignment.json", aligned, {"crop": align(checkout)})
    whole = Published(theirs, small=True).eval()
    rules = seeding.calibrate(whole, seeding.plan(lambda: Published(theirs, small=True)), run)
    whole.load_state_dict(seeding.fill(whole.state_dict(), rules))
    codes, picture = run(whole)
    if unseen := find_unseen(whole, codes):
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    constants = golden.write_layout(FOLDER / f"{STEM}.small.tsv", whole.state_dict(), rules)
    with torch.device("meta"):
        full = Published(theirs, small=False).state_dict()
    golden.write_layout(FOLDER / f"{STEM}.tsv", full, dict.fromkeys(full, (0.0, 0.0)))
    source = {
        **about,
        "file": "script/models/psp.py, psp_encoders.py, helpers.py, stylegan2.py",
        "class": "pSp, Encoder4Editing, Generator",
    }
    golden.write_golden(FOLDER / "golden.json", source, {"codes": codes, "picture": picture}, constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
