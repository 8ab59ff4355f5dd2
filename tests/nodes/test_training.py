"""The training nodes where there is no ComfyUI; ``tests/host/adapt/test_pva.py`` has them on its models."""

import pytest
import torch


def test_only_comfyui_has_models_to_train_on(nodes):
    node = nodes["LikenessTrainIdentityAdapter"]
    with pytest.raises(RuntimeError, match="Expected ComfyUI, on whose models an identity adapter is trained"):
        node.execute(None, None, None, None, torch.zeros(1, 8, 8, 3), None, 1, 1e-5, 0)


def test_a_name_to_save_as_is_plain_and_never_taken(pack, nodes, base):
    """No folders, no hidden files; a file that is there stays."""
    from headless import standalone

    standalone.start(base)
    folder = base / "models/face_adapter"
    folder.mkdir(parents=True)
    place = pack.nodes.training.find_place
    assert place("  ") is None
    assert place("me").name == place("me.safetensors").name == "me.safetensors"
    (folder / "me.safetensors").touch()
    assert place("me") == folder / "me_2.safetensors"
    for name in ("../me", "a/b", ".me"):
        with pytest.raises(ValueError, match="Expected a plain name to save as, got"):
            place(name)
