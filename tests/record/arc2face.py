"""What Arc2Face's own code gives on seeded weights: ``python tests/record/arc2face.py CHECKOUT TOKENIZER``.

Writes the layout and the golden file of tests/host/adapt/test_arc2face.py. CHECKOUT is a checkout of
https://github.com/foivospar/Arc2Face; its classes need transformers 4.36. TOKENIZER is a folder with CLIP's vocabulary,
such as ``comfy/sd1_tokenizer`` of a ComfyUI. The published size is laid out without storage; values are those of two
layers of the published width.
"""

import sys
import types
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/arc2face"
STEM = "arc2face_encoder"
CLIP_L = {"hidden_size": 768, "num_attention_heads": 12, "projection_dim": 768, "hidden_act": "quick_gelu"}
PUBLISHED = {"intermediate_size": 3072, "num_hidden_layers": 12}
SMALL = {"intermediate_size": 128, "num_hidden_layers": 2}
BLIND = "k_proj.bias"  # the same for all that a query looks at: attention does not see it


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


def main(checkout: Path, vocabulary: Path) -> None:
    theirs, tokenizer = read_code(checkout), CLIPTokenizer.from_pretrained(vocabulary, model_max_length=77)

    def make(sizes: dict[str, int] = SMALL) -> nn.Module:
        return theirs.model(CLIPTextConfig(**CLIP_L, **sizes)).eval()

    def run(model: nn.Module) -> list[Tensor]:
        pipeline = SimpleNamespace(tokenizer=tokenizer, text_encoder=model, device="cpu")
        return [theirs.project(pipeline, one[None]) for one in identities()]

    model = make()
    rules = seeding.calibrate(model, seeding.plan(make), run)
    model.load_state_dict(seeding.fill(model.state_dict(), rules))
    if unseen := [name for name in seeding.blind(model, run, 1e-4) if not name.endswith(BLIND)]:
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    constants = golden.write_layout(FOLDER / f"{STEM}.small.tsv", model.state_dict(), rules)
    with torch.device("meta"):
        whole = make(PUBLISHED).state_dict()
    golden.write_layout(FOLDER / f"{STEM}.tsv", whole, dict.fromkeys(whole, (0.0, 0.0)))
    source = {
        "repository": "https://github.com/foivospar/Arc2Face",
        "commit": golden.commit(checkout),
        "file": "arc2face/models.py, arc2face/utils.py",
        "class": "CLIPTextModelWrapper, project_face_embs",
    }
    made = dict(zip(("one", "two"), run(model), strict=True))
    golden.write_golden(FOLDER / f"{STEM}.small.json", source, made, constants)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
