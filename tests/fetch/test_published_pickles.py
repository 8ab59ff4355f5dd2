"""Pickles of the make that authors publish, small, through the very conversion that the manifest states."""

import argparse
import sys
import types
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from likeness.fetch.pickles import convert
from likeness.manifest import read_manifests, read_model


def module(**children: nn.Module) -> nn.Module:
    made = nn.Module()
    for name, child in children.items():
        made.add_module(name, child)
    return made


def trained(network: nn.Module) -> dict:
    """An optimiser's state after a step: it holds as many tensors again as the network, twice."""
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer.state_dict()


def convolution() -> nn.Module:
    return module(conv=nn.Conv2d(3, 4, 3, bias=False), bn=nn.BatchNorm2d(4), act=nn.SiLU())


@contextmanager
def their_code(names):
    """Modules with classes of these names, as they are where a checkpoint is written, and gone where it is read."""
    made: dict[str, types.ModuleType] = {}
    try:
        for name in names:
            where, _, cls = name.rpartition(".")
            for depth in range(1, where.count(".") + 2):
                above = ".".join(where.split(".")[:depth])
                made.setdefault(above, sys.modules.setdefault(above, types.ModuleType(above)))
            setattr(made[where], cls, type(cls, (nn.Module,), {"__module__": where}))
        yield lambda name: getattr(made[name.rpartition(".")[0]], name.rpartition(".")[2])
    finally:
        for name in made:
            del sys.modules[name]


def yolo(of):
    """A YOLOv5 of two layers: a stem that holds a convolution, and the head with its anchors."""
    convolution = of("models.common.Conv")()
    convolution.conv, convolution.bn, convolution.act = nn.Conv2d(12, 4, 3, bias=False), nn.BatchNorm2d(4), nn.SiLU()
    stem, detect, model = (of(f"models.{name}")() for name in ("common.Focus", "yolo.Detect", "yolo.Model"))
    stem.conv = convolution
    detect.m = nn.ModuleList([nn.Conv2d(4, 27, 1)])
    detect.register_buffer("anchors", torch.rand(1, 3, 2))
    detect.stride, detect.grid = torch.tensor([8.0]), [torch.zeros(1)]  # no buffers: not in a state dict
    model.model = nn.Sequential(stem, detect)
    model.yaml, model.names, model.save = {"nc": 4, "backbone": [[-1, 1, "Focus", [64, 3]]]}, ["head"], [4, 6]
    return model.half()


@pytest.mark.parametrize("stripped", [True, False], ids=["after training", "during training"])
@pytest.mark.parametrize("id", ["directmhp/agora_s", "directmhp/agora_m"])
def test_a_whole_yolo_becomes_the_state_dict_that_its_code_would_give(tmp_path, id, stripped):
    conversion = read_model(id).files[0].sources[0].convert
    with their_code(conversion.classes) as of:
        model = yolo(of)
        held = {"epoch": -1, "best_fitness": np.array([0.7]), "model": model, "wandb_id": None}
        held |= {"optimizer": None, "ema": None} if stripped else {"optimizer": trained(model), "ema": yolo(of)}
        torch.save(held, tmp_path / "a.pt")
        expected = model.state_dict()
    convert(tmp_path / "a.pt", tmp_path / "a.safetensors", conversion)
    assert "models" not in sys.modules
    got = load_file(tmp_path / "a.safetensors")
    assert {"model.0.conv.conv.weight", "model.0.conv.bn.running_var", "model.1.anchors", "model.1.m.0.bias"} <= set(
        got
    )
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name]) for name in got)


def test_a_yolo_with_a_class_more_is_refused(tmp_path):
    conversion = read_model("directmhp/agora_s").files[0].sources[0].convert
    with their_code([*conversion.classes, "models.common.Other"]) as of:
        model = yolo(of)
        model.model.append(of("models.common.Other")())
        torch.save({"model": model}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"names models\.common\.Other.*nothing of it ran"):
        convert(tmp_path / "a.pt", tmp_path / "a.safetensors", conversion)
    assert not (tmp_path / "a.safetensors").exists()


def facexformer(network):
    """The network between the states of what trained it."""
    schedule = {"base_lrs": [1e-4], "last_epoch": 12, "_last_lr": [np.float64(1e-6)]}
    return {
        "epoch": 11,
        "state_dict_backbone": network.state_dict(),
        "state_optimizer": trained(network),
        "state_lr_scheduler": schedule,
    }


def fsfm(network):
    """As in masked autoencoders: the settings of the run as they were parsed, the loss scaler."""
    settings = argparse.Namespace(model="vit_base_patch16", data_path=["a"], lr=1e-3, device="cuda", gpu=0)
    return {
        "model": network.state_dict(),
        "optimizer": trained(network),
        "epoch": 400,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 0},
        "args": settings,
    }


def faceptor(network):
    """In several processes, with the class matrix of the recognition loss."""
    whole = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    whole["module.losses_module.losses.recog_ms1mv3.weight"] = torch.rand(50, 8)
    return {"step": 50000, "state_dict": whole, "optimizer": trained(network)}


def fan_depth(network):
    """In several processes, with the numbers of the run as NumPy's."""
    whole = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    return {"epoch": 40, "arch": "resnet", "state_dict": whole, "best": np.float64(1.5), "optimizer": trained(network)}


def flip(network):
    """With copies that follow the network, queues of what these gave, and the settings of the run as they were read."""
    copies = {f"{name}_m.weight": torch.rand(4, 2) for name in ("visual_encoder", "text_encoder")}
    copies |= {f"{name}_proj_m.bias": torch.rand(4) for name in ("vision", "text")}
    queues = {f"{name}_queue": torch.rand(4, 6) for name in ("image", "text")}
    queues |= {"idx_queue": torch.full((1, 6), -100), "ptr_queue": torch.zeros(1, dtype=torch.int64)}
    settings = {"alpha": 0.4, "vit": "base", "pretrained": "", "intermediate_hidden_state": False}
    held = {**network.state_dict(), **copies, **queues}
    return {"model": held, "optimizer": trained(network), "config": settings, "epoch": 14}


def spoofs(network):
    """As few_shot_fas saves it: the best values as numpy and torch have them."""
    rates = [np.float64(0.08), torch.tensor(0.9), 0.08, np.float64(0.98), 0.57, np.float64(91.7), np.float64(0.7)]
    best = {"best_model_EER": np.float64(0.08), "best_model_ACER": 1.0, "best_model_ACC": np.float64(91.7)}
    return {"epoch": 3, "state_dict": network.state_dict(), "valid_arg": rates, **best, "threshold": np.float64(0.57)}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("id", "file", "write"),
    [
        ("facexformer/iccv2025", "facexformer.safetensors", facexformer),
        ("fsfm/vf2_vit_b", "fsfm_vf2_vit_b.safetensors", fsfm),
        ("fsfm_detectors/unified", "fsfm_unified_detector.safetensors", fsfm),
        ("fsfm_detectors/ffpp_c23", "fsfm_ffpp_c23.safetensors", fsfm),
        ("fsfm_detectors/ffpp_df_fe", "fsfm_ffpp_df_fe.safetensors", fsfm),
        ("fsfm_detectors/mcio_msu", "fsfm_mcio_msu.safetensors", spoofs),
        ("faceptor/base", "faceptor_base.safetensors", faceptor),
        ("faceptor/full", "faceptor_full.safetensors", faceptor),
        ("fan/3d", "fan_depth.safetensors", fan_depth),
        ("flip/base", "flip_base.safetensors", flip),
    ],
)
def test_the_network_alone_is_kept_under_its_own_names(tmp_path, id, file, write, zipped):
    network = module(backbone=convolution(), head=nn.Linear(4, 2))
    torch.save(write(network), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    (published,) = (held for held in read_model(id).files if held.name == file)
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors", published.sources[0].convert)
    got, expected = load_file(tmp_path / "a.safetensors"), network.state_dict()
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name]) for name in got)


@pytest.mark.parametrize(
    "id",
    ["hyperreenact/voxceleb1_256", "vec2face/v1", "joyvasa/hubert_chinese", "multi_hmr/896_l", "e4e/ffhq"],
)
def test_settings_as_they_were_parsed_are_met_where_authors_keep_them(tmp_path, id):
    listed = [source.convert for file in read_model(id).files for source in file.sources if source.convert]
    conversions = [conversion for conversion in listed if conversion.classes]
    assert conversions
    for conversion in conversions:
        held: dict = {"w": torch.ones(2)}
        for name in reversed([part for part in conversion.keep.split(".") if part]):
            held = {name: held}
        torch.save({**held, "args": argparse.Namespace(width=3)}, tmp_path / "a.pt")
        convert(tmp_path / "a.pt", tmp_path / "a.safetensors", conversion)
        assert list(load_file(tmp_path / "a.safetensors")) == ["w"]


def test_no_manifest_lets_a_pickle_name_what_runs_code():
    sources = [s for m in read_manifests() for model in m.models for file in model.files for s in file.sources]
    listed = {name for source in sources if source.convert for name in source.convert.classes}
    assert listed == {"argparse.Namespace", *(name for name in listed if name.startswith("models."))}


@pytest.mark.parametrize("options", [dict, argparse.Namespace])
def test_e4e_keeps_its_average_beside_its_networks(tmp_path, options):
    state, average = (
        {"encoder.conv.weight": torch.rand(2, 2), "decoder.input.input": torch.rand(1, 4)},
        torch.rand(18, 4),
    )
    held = {"state_dict": state, "latent_avg": average, "opts": options(lr=1e-4, device="cuda:0")}
    held |= {"discriminator_state_dict": {"final.weight": torch.ones(1)}, "optimizer": {"state": {0: torch.ones(1)}}}
    torch.save(held, tmp_path / "a.pt")
    convert(tmp_path / "a.pt", tmp_path / "a.safetensors", read_model("e4e/ffhq").files[0].sources[0].convert)
    assert load_file(tmp_path / "a.safetensors").keys() == {*state, "latent_avg"}


def test_the_w_plus_adapter_s_parts_are_named_by_where_they_lie(tmp_path):
    held = {"w_proj": {"norm.weight": torch.ones(3)}, "wplus_adapter": {"1.to_q_wplus.weight": torch.ones(2, 2)}}
    torch.save(held, tmp_path / "a.bin")
    convert(
        tmp_path / "a.bin", tmp_path / "a.safetensors", read_model("wplus_adapter/stage2").files[0].sources[0].convert
    )
    assert load_file(tmp_path / "a.safetensors").keys() == {"w_proj.norm.weight", "wplus_adapter.1.to_q_wplus.weight"}


def test_a_direction_is_a_tensor_alone(tmp_path):
    torch.save(torch.ones(1, 512), tmp_path / "age.pt")
    convert(
        tmp_path / "age.pt",
        tmp_path / "age.safetensors",
        read_model("face_directions/interfacegan").files[0].sources[0].convert,
    )
    assert load_file(tmp_path / "age.safetensors")["value"].shape == (1, 512)
