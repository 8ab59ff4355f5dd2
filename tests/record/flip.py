"""What the authors' FLIP gives on seeded weights: ``python tests/record/flip.py CHECKOUT``.

Writes the layouts and the golden file of tests/embed/test_flip.py and tests/match. CHECKOUT is
github.com/ddw2AIGROUP2CQUPT/FLIP. It runs under transformers 4.36 (their file imports what later versions moved). The
published sizes are laid out without storage, momentum copies and queues included; values are those of their whole
class at a small size, scored by their own evaluation.
"""

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import torch
import transformers  # noqa: F401 - before its timm is a stand-in
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/flip"
QUEUE, SMALL_QUEUE = 61440, 8  # theirs as configs/pretrain.yaml has it
LINES = 30522  # of bert-base-uncased's vocabulary, in BYTES bytes
BYTES = 231508
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    "a an the this that is are has have had no not with without and or of in on person face man woman he she his her "
    "smile smiling wears wearing glasses eyeglasses hat hair black blond brown gray red long short wavy straight young "
    "old big nose lips eyes eyebrows high cheek arched mouth open slightly beard mustache lipstick ear rings , - ' ? "
    "[ ] cls 中"
)
PIECES = "s ing ed er bones rings"
TEXTS = (
    'She has LONG, wavy hair -- and high cheekbones! ("smiling")',
    "A man with no beard; his nose: big~ #old",
    "Café   smiling?\n the [CLS] 中face's unheard-of eyeglasses",
    "an old person " * 30,  # theirs cuts it off; ours refuses it
)
FIRST = 2  # of the faces and texts that the matching head ranks anew


def vocabulary() -> str:
    return "\n".join([*MARKS, *WORDS.split(), *(f"##{piece}" for piece in PIECES.split())]) + "\n"


def read_authors(checkout: Path) -> SimpleNamespace:
    """Their modules; what they import for downloads and captions' marks is not needed."""
    names = ("timm", "timm.models", "timm.models.hub", "pycocotools", "pycocotools.coco")
    names += ("pycocoevalcap", "pycocoevalcap.eval")
    sys.modules |= {name: ModuleType(name) for name in names}
    sys.modules["timm.models.hub"].download_cached_file = None
    sys.modules["pycocotools.coco"].COCO = sys.modules["pycocoevalcap.eval"].COCOEvalCap = None
    package = ModuleType("data")  # without its __init__, which imports every data set
    package.__path__ = [str(checkout / "data")]
    sys.modules["data"] = package
    sys.path.insert(0, str(checkout))
    from data.utils import pre_caption
    from eval.pretrain_eval import evaluation
    from models import fflip, fflip_pretrain

    return SimpleNamespace(fflip=fflip, pretrain=fflip_pretrain, pre_caption=pre_caption, evaluate=evaluation)


def build(theirs: SimpleNamespace, words: str, queue: int, small: bool) -> nn.Module:
    """Their class without its downloads, which training overwrites."""
    read = {name: json.loads((theirs.configs / f"{name}_config.json").read_text()) for name in ("vision", "bert")}
    if small:
        sizes = {"hidden_size": 128, "intermediate_size": 192, "num_attention_heads": 2, "num_hidden_layers": 2}
        read["vision"] |= sizes | {"image_size": 48}
        read["bert"] |= sizes | {"vocab_size": len(words.splitlines()), "max_position_embeddings": 70}
        read["bert"] |= {"encoder_width": 128, "hidden_size": 192, "num_attention_heads": 3}

    def plain(cls: type, name: str, config: object, **given: object) -> nn.Module:
        return cls(config, **given)

    with tempfile.TemporaryDirectory() as folder, patch.object(theirs.fflip, "BertTokenizer", theirs.tokenizer) as kind:
        kind.text = words
        for name, held in read.items():
            Path(folder, f"{name}_config.json").write_text(json.dumps(held))
        with (
            patch.object(theirs.fflip.VisionModel, "from_pretrained", classmethod(plain)),
            patch.object(theirs.fflip.BertModel, "from_pretrained", classmethod(plain)),
        ):
            return theirs.pretrain.FFLIP_Pretrain(folder, embed_dim=32 if small else 256, queue_size=queue).eval()


def tokenizer_of(kind: type) -> type:
    """Their tokenizer's class, reading a vocabulary that is given instead of one that is downloaded."""

    class Given(kind):
        text = ""

        @classmethod
        def from_pretrained(cls, name: str) -> object:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "vocab.txt")
                path.write_text(cls.text)
                return kind(str(path))

    return Given


def encode(module: nn.Module, texts: list[str]) -> object:
    given = {"padding": "max_length", "truncation": True, "max_length": 65, "return_tensors": "pt"}
    return module.tokenizer(texts, **given)


def crops() -> Tensor:
    return seeding.noise("crops", torch.Size([3, 3, 48, 48])).float() * 2


def run(module: nn.Module, texts: list[str]) -> list[Tensor]:
    """Patches and vectors of three faces, tokens and vectors of the texts, the head's logits of every pair."""
    text = encode(module, texts)
    with torch.no_grad():
        seen = module.visual_encoder(crops()).last_hidden_state
        read = module.text_encoder(text.input_ids, attention_mask=text.attention_mask, mode="text").last_hidden_state
        pairs = []
        for one in seen:
            both = module.text_encoder(
                text.input_ids,
                attention_mask=text.attention_mask,
                encoder_hidden_states=one.expand(len(texts), -1, -1),
                encoder_attention_mask=torch.ones(len(texts), len(one), dtype=torch.long),
                return_dict=True,
            )
            pairs.append(module.itm_head(both.last_hidden_state[:, 0]))
        vectors = module.vision_proj(seen[:, 0]), module.text_proj(read[:, 0])
    return [seen, read[:, 0], *vectors, torch.stack(pairs)]


def evaluate(theirs: SimpleNamespace, module: nn.Module, texts: list[str]) -> list[Tensor]:
    """Their evaluation's scores: (faces, texts), then (texts, faces); -100 where the head was not asked."""

    class Loader(list):
        dataset = SimpleNamespace(text=texts, image=[None] * 3)

    args = SimpleNamespace(distributed=False)
    loader = Loader([(crops(), torch.arange(3))])
    return [torch.from_numpy(made) for made in theirs.evaluate(args, module, loader, "cpu", {"k_test": FIRST})]


def main(checkout: Path) -> None:
    theirs = read_authors(checkout)
    theirs.configs, theirs.tokenizer = checkout / "configs", tokenizer_of(theirs.fflip.BertTokenizer)
    words = vocabulary()
    every = [theirs.pre_caption(text, max_words=65) for text in TEXTS]
    texts = every[:-1]

    def make() -> nn.Module:
        return build(theirs, words, SMALL_QUEUE, small=True)

    small, rules = make(), seeding.plan(make)
    rules["temp"] = torch.tensor(0.07)
    rules = seeding.calibrate(small, rules, lambda module: run(module, texts))
    small.load_state_dict(seeding.fill(small.state_dict(), rules))
    constants = golden.write_layout(FOLDER / "flip_base.small.tsv", small.state_dict(), rules)
    with torch.device("meta"):
        everything = build(theirs, "\n".join([*MARKS, *map(str, range(LINES - len(MARKS)))]), QUEUE, small=False)
    whole = everything.state_dict()
    golden.write_layout(FOLDER / "flip_base.tsv", whole, dict.fromkeys(whole, (0.0, 0.0)))

    text = torch.tensor(list(words.encode()), dtype=torch.uint8)
    constants |= golden.write_layout(FOLDER / "bert_base_uncased_vocab.small.tsv", {"text": text}, {"text": text})
    none = torch.empty(BYTES, dtype=torch.uint8, device="meta")
    golden.write_layout(FOLDER / "bert_base_uncased_vocab.tsv", {"text": none}, {"text": (0.0, 0.0)})

    names = ("patches", "read", "face_vectors", "text_vectors", "logits")
    outputs = dict(zip(names, run(small, texts), strict=True))
    outputs |= dict(zip(("faces_to_texts", "texts_to_faces"), evaluate(theirs, small, texts), strict=True))
    outputs |= {f"tokens{number}": ids[ids > 0].float() for number, ids in enumerate(encode(small, every).input_ids)}
    source = {
        "repository": "https://github.com/ddw2AIGROUP2CQUPT/FLIP",
        "commit": golden.commit(checkout),
        "files": ["models/fflip_pretrain.py", "models/fflip.py", "models/mm.py", "eval/pretrain_eval.py"],
        "class": "FFLIP_Pretrain",
    }
    golden.write_golden(FOLDER / "golden.json", source, outputs, constants)
    # A key's bias moves nothing; copies, queues and the temperature are not looked at.
    still = (
        "visual_encoder_m.",
        "text_encoder_m.",
        "vision_proj_m.",
        "text_proj_m.",
        "image_queue",
        "text_queue",
        "temp",
    )
    unseen = [
        name
        for name in seeding.blind(small, lambda module: run(module, texts), 1e-4)
        if not name.startswith(still) and not name.endswith(("k_proj.bias", "key.bias"))
    ]
    if unseen:
        raise RuntimeError(f"Expected a golden that sees every block, got one that does not see {', '.join(unseen)}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
