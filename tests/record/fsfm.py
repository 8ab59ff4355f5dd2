"""What the authors' FSFM gives on seeded weights: ``python tests/record/fsfm.py MAIN EXTENSION``.

Writes the layouts and golden files of tests/embed/test_fsfm.py, tests/analyze/test_fsfm_detectors.py,
tests/parse/test_crfrp.py and tests/audit/test_spoofing.py. MAIN and EXTENSION are checkouts of
https://github.com/wolo-wolo/FSFM-CVPR25, branches main and FSVFM-extension (or folders with their files, named by
commit); it needs timm 0.4.5 and scikit-learn. The whole networks' tensors are laid out; values are of the same classes
with two blocks.
"""

import collections.abc
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import fsfm_cases as cases
import golden
import seeding

MAIN, EXTENSION = "986aaab6d505911f73042ee91cc49c8621354c05", "e48bd06c7f18fa527243ecd1e607b5ce4c0740d1"
DEPTH = 2  # blocks where values are compared
# What the first torch 2 took away, and what only cropping files import.
STUBS = ("torch._six", "cv2", "dlib", "skimage", "skimage.transform", "config")


def main(checkout: Path, extension: Path) -> None:
    shim()
    sys.path[:0] = [str(checkout / "fsfm-3c"), str(checkout / "datasets/finetune/preprocess")]
    record_encoder()
    record_detectors()
    record_crops()
    record_masking()
    record_labels()
    record_anti_spoofing(extension)  # last: its files are named as those above


def shim() -> None:
    sys.modules |= {name: ModuleType(name) for name in STUBS if name not in sys.modules}
    sys.modules["torch._six"].container_abcs = collections.abc
    sys.modules["dlib"].get_frontal_face_detector = lambda: None
    sys.modules["skimage"].transform = sys.modules["skimage.transform"]
    sys.modules["config"].cfg = SimpleNamespace(face_scale=1.3, face_size=224)
    np.float = float  # numpy 1.24 took it away


def source(file: str, name: str, commit: str = MAIN) -> dict[str, str]:
    return {"repository": "https://github.com/wolo-wolo/FSFM-CVPR25", "commit": commit, "file": file, "class": name}


def crops(side: int = 224) -> torch.Tensor:
    return seeding.noise("crops", torch.Size([2, 3, side, side])).float() * 2


def seeded(make, run) -> tuple[nn.Module, seeding.Plan]:
    """A network filled with seeded values that keep its layers' outputs alike."""
    network = make().eval()
    rules = seeding.calibrate(network, seeding.plan(make), run)
    network.load_state_dict(seeding.fill(network.state_dict(), rules))
    return network.eval(), rules


def check_seen(network: nn.Module, run, blind: tuple[str, ...] = ()) -> None:
    """A key's bias moves nothing: rolling a whole bias of queries, keys and values moves the others."""
    if unseen := [name for name in seeding.blind(network, run, 1e-4) if not name.startswith(blind or "\0")]:
        raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")


def record_encoder() -> None:
    import models_fsfm
    import models_vit

    folder = golden.FOLDER / "fsfm"
    sizes = {"fsfm_vf2_vit_b": "base", "fsvfm_vit_s": "small", "fsvfm_vit_b": "base", "fsvfm_vit_l": "large"}
    for name, size in sizes.items():
        state_dict = getattr(models_fsfm, f"fsfm_vit_{size}_patch16")().state_dict()
        golden.write_layout(folder / f"{name}.tsv", state_dict, dict.fromkeys(state_dict, (0.0, 0.0)))

    def pretrained() -> nn.Module:
        options = {"embed_dim": 384, "depth": DEPTH, "num_heads": 12, "rep_decoder_embed_dim": 384}
        options |= {"rep_decoder_depth": 1, "decoder_embed_dim": 64, "decoder_depth": 1, "decoder_num_heads": 4}
        norm = models_fsfm.partial(nn.LayerNorm, eps=1e-6)
        return models_fsfm.FSFMViT(**options, projection_hidden_size=64, norm_layer=norm)

    def encoder() -> nn.Module:
        """What fine-tuning begins with."""
        norm = models_fsfm.partial(nn.LayerNorm, eps=1e-6)
        options = {"patch_size": 16, "embed_dim": 384, "depth": DEPTH, "num_heads": 12, "qkv_bias": True}
        return models_vit.VisionTransformer(num_classes=2, global_pool=True, norm_layer=norm, **options)

    def run(network: nn.Module) -> list[torch.Tensor]:
        with torch.no_grad():
            return [network.forward_features(crops())]

    whole = pretrained().state_dict()
    _, rules = seeded(encoder, run)
    rules = {name: rules.get(name, (0.0, 0.05)) for name in whole}
    values = seeding.fill(whole, rules)
    network = encoder().eval()
    left = network.load_state_dict(values, strict=False)
    if set(left.missing_keys) != {"head.weight", "head.bias", "fc_norm.weight", "fc_norm.bias"}:
        raise RuntimeError(f"Expected what the authors' fine-tuning expects to miss, got {left.missing_keys}.")
    check_seen(network, run, ("head.", "fc_norm."))
    network.load_state_dict(values, strict=False)
    golden.write_layout(folder / "fsfm_vf2_vit_b.small.tsv", whole, rules)
    about = source("fsfm-3c/models_vit.py", "VisionTransformer, of an FSFMViT's state dict")
    golden.write_golden(folder / "fsfm_vf2_vit_b.small.json", about, {"features": run(network)[0]})


def record_detectors() -> None:
    import models_vit

    folder = golden.FOLDER / "fsfm_detectors"
    for name, classes in {"fsfm_unified_detector": 4, "fsfm_ffpp_c23": 2}.items():
        state_dict = models_vit.vit_base_patch16(num_classes=classes, global_pool=True).state_dict()
        golden.write_layout(folder / f"{name}.tsv", state_dict, dict.fromkeys(state_dict, (0.0, 0.0)))

        def make(classes: int = classes) -> nn.Module:
            norm = models_vit.partial(nn.LayerNorm, eps=1e-6)
            options = {"patch_size": 16, "embed_dim": 384, "depth": DEPTH, "num_heads": 12, "qkv_bias": True}
            options |= {"drop_path_rate": 0.1, "global_pool": True}
            return models_vit.VisionTransformer(num_classes=classes, norm_layer=norm, **options)

        def run(network: nn.Module) -> list[torch.Tensor]:
            with torch.no_grad():
                return [network(crops())]

        network, rules = seeded(make, run)
        check_seen(network, run)
        golden.write_layout(folder / f"{name}.small.tsv", network.state_dict(), rules)
        about = source("fsfm-3c/models_vit.py", "VisionTransformer")
        golden.write_golden(folder / f"{name}.small.json", about, {"logits": run(network)[0]})


def record_crops() -> None:
    """Faces cut by their boxes, and made into what a network sees in evaluation."""
    import util.datasets as theirs
    from PIL import Image
    from tools import util as cropping

    picture = Image.fromarray(cases.picture().numpy())
    outputs = {}
    for number, box in enumerate(cases.BOXES):
        sides = dict(zip(("left", "top", "right", "bottom"), box, strict=True))
        face = SimpleNamespace(**{name: (lambda at=at: at) for name, at in sides.items()})
        x, y, size = cropping.get_boundingbox(face, *picture.size)
        outputs[f"window{number}"] = torch.tensor([x, y, size]).double()
        piece = picture.crop((x, y, x + size, y + size))
        for way, options in cases.WAYS.items():
            args = SimpleNamespace(eval=True, resume="", output_dir="", input_size=224, **options)
            outputs[f"{way}{number}"] = theirs.build_transform(False, args)(piece)
    about = source("fsfm-3c/util/datasets.py, datasets/finetune/preprocess/tools/util.py", "build_transform")
    golden.write_golden(golden.FOLDER / "fsfm_detectors/crops.json", about, outputs)


def record_masking() -> None:
    import util.datasets as theirs

    outputs, chosen = {}, theirs.random
    collate = theirs.collate_fn_crfrp()
    groups = dict(zip(cases.REGIONS, collate.facial_region_group, strict=True))
    for region in cases.REGIONS[:-2]:
        for name, labels in cases.parsings().items():
            theirs.random = SimpleNamespace(choice=lambda _, region=region: groups[region])
            torch.manual_seed(cases.SEED)
            samples = [{"image": torch.zeros(3, 1, 1), "parsing_map": labels[None]}]
            _, hidden, covered, _ = collate.CRFR_P_masking(samples)
            outputs[f"{region} {name}"] = torch.cat([hidden, covered]).double()
    theirs.random = chosen
    folder = golden.FOLDER / "fsfm"
    kept = {name: "".join(str(int(one)) for one in both.flatten()) for name, both in outputs.items()}
    write(folder / "crfrp.json", {**source("fsfm-3c/util/datasets.py", "collate_fn_crfrp"), "masks": kept})


def record_labels() -> None:
    """Class folders as the authors name them, in the order that torchvision numbers them in."""
    import dataset_preprocess
    from torchvision.datasets import ImageFolder

    dataset_preprocess.cfg.FF_manipulation_list = ["DeepFakes", "Face2Face", "FaceSwap", "NeuralTextures"]
    with tempfile.TemporaryDirectory() as folder:
        dataset_preprocess.gen_FF_all_binary_cls_ds(f"{folder}/real", f"{folder}/fake", f"{folder}/set", "c23")
        names, numbers = ImageFolder.find_classes(None, f"{folder}/set/c23/train")
    if [numbers[name] for name in names] != [0, 1]:
        raise RuntimeError(f"Expected two classes in order, got {numbers}.")
    about = source("datasets/finetune/preprocess/dataset_preprocess.py", "gen_FF_all_binary_cls_ds")
    write(golden.FOLDER / "fsfm_detectors/labels.json", {**about, "folders": names})


def record_anti_spoofing(extension: Path) -> None:
    folder = extension / "fsvfm/finetune/cross_domain_FAS"
    for name in ("models_vit", "util", "util.datasets"):  # of another folder
        sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    import fas
    import models_vit
    from torch.nn import functional
    from utils import evaluate, statistic

    def make(size: str) -> nn.Module:
        return fas.fas_model_fix(SimpleNamespace(model=f"vit_{size}_patch16", pt_model=None, scratch=True, drop_path=0))

    def small() -> nn.Module:
        def shallow(pretrained: bool, **options: object) -> nn.Module:
            norm = models_vit.partial(nn.LayerNorm, eps=1e-6)
            kind = {"patch_size": 16, "embed_dim": 384, "depth": DEPTH, "num_heads": 12, "qkv_bias": True}
            return models_vit.VisionTransformer(norm_layer=norm, **kind, **options)

        models_vit.vit_small_patch16 = shallow
        return make("small")

    def run(network: nn.Module) -> list[torch.Tensor]:
        with torch.no_grad():
            return [network(crops(), True)[0][:, 0]]

    whole = make("base").state_dict()
    kept = golden.FOLDER / "fsfm_detectors"
    golden.write_layout(kept / "fsfm_mcio_msu.tsv", whole, dict.fromkeys(whole, (0.0, 0.0)))
    network, rules = seeded(small, run)
    for name in rules:  # one layer under two names
        if name.startswith("embedder.bottleneck_layer.0."):
            rules[name] = rules[name.replace("bottleneck_layer.0", "bottleneck_layer_fc")]
    values = seeding.fill(network.state_dict(), rules)
    for leaf in ("weight", "bias"):
        values[f"embedder.bottleneck_layer.0.{leaf}"] = values[f"embedder.bottleneck_layer_fc.{leaf}"]
    network.load_state_dict(values)
    logits = run(network)[0]  # before the check, for the classifier norms its weights in place
    check_seen(network, run, ("classifier.classifier_layer.weight",))
    golden.write_layout(kept / "fsfm_mcio_msu.small.tsv", values, rules)
    about = source("fsvfm/finetune/cross_domain_FAS/fas.py", "fas_model_fix", EXTENSION)
    golden.write_golden(kept / "fsfm_mcio_msu.small.json", about, {"logits": logits})
    record_evaluation(evaluate, statistic, functional)


def record_evaluation(evaluate: ModuleType, statistic: ModuleType, functional: ModuleType) -> None:
    """Their whole evaluation of a network that looks its logits up, and their rates at a half."""
    held = cases.spoof_scores()
    torch.Tensor.cuda = lambda tensor: tensor

    def network(rows: torch.Tensor, norm: bool) -> tuple[torch.Tensor, None]:
        return torch.from_numpy(held["logits"])[rows][:, None], None

    network.eval = lambda: None
    rows, video = torch.arange(len(held["video"])), torch.from_numpy(held["video"])
    batch = (rows, torch.from_numpy(held["real"].astype(np.int64)), video, None)
    found, (scores, labels) = evaluate.eval([batch], network, True, return_prob=True)
    apcer, bpcer, acer, accuracy = statistic.calculate(scores, labels)
    names = ("eer", "hter", "auc", "threshold", "accuracy", "tpr")
    values = dict(zip(names, [float(found[n]) for n in (2, 3, 4, 5, 6, 7)], strict=True))
    values |= {"apcer": float(apcer), "bpcer": float(bpcer), "acer": float(acer), "accuracy at 0.5": float(accuracy)}
    about = source("fsvfm/finetune/cross_domain_FAS/utils/evaluate.py", "eval", EXTENSION)
    write(golden.FOLDER / "fsfm_detectors/evaluation.json", {**about, **values})


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
