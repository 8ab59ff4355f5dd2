"""The adapter nodes where there is no ComfyUI; ``tests/host/adapt`` has them in its sampler."""

import pytest
import torch
from safetensors.torch import save_file

import factories
import golden

FOLDER = golden.FOLDER / "facechain_fact"


@pytest.fixture
def adapter(pack, nodes, base):
    """A file of the user's own, recognised by its tensors."""
    parts = {"": "facechain_fact_maj", "transface": "ms1mv2_model_transface_s"}
    files = {
        part: golden.state_dict(FOLDER / f"{stem}.small.tsv", FOLDER / "golden.json") for part, stem in parts.items()
    }
    path = base / "models/face_adapter/mine.safetensors"
    path.parent.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in pack.likeness.weights.join(files).items()}, path)
    from headless import standalone

    standalone.start(base)
    (loaded,) = nodes["LikenessLoadIdentityAdapter"].execute("mine.safetensors").args
    return loaded


def test_an_adapter_is_loaded_and_reads_people_but_only_comfyui_samples(pack, nodes, adapter):
    assert adapter.network.title == "FaceChain-FACT"
    assert adapter.patcher in adapter.get_models()
    image = factories.people(1)
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "100 100 200 200").args
    person = pack.nodes.adapt.read_person(image, faces, None, None)
    first = adapter.encode(person, image, faces)
    assert first.person.shape == first.nobody.shape
    assert adapter.encode(person, image, faces) is first
    assert adapter.encode(person, image.clone(), faces) is not first
    with pytest.raises(RuntimeError, match="Expected ComfyUI, whose sampler an identity adapter works in"):
        nodes["LikenessApplyIdentityAdapter"].execute(None, adapter, 1.0, 0.0, 1.0, image, faces)


def test_a_head_mask_is_of_the_same_images(pack):
    read = pack.nodes.adapt.read_head
    image = torch.zeros(3, 8, 6, 3)
    assert read(None, image) is None
    assert read(torch.ones(1, 8, 6, dtype=torch.float16), image).shape == (3, 8, 6)
    with pytest.raises(ValueError, match="a head_mask of 3 images of 6 x 8, got 2 of 6 x 8"):
        read(torch.ones(2, 8, 6), image)


def test_the_w_plus_adapter_s_published_pickle_is_a_file_of_ones_own(nodes, base):
    """Its two parts lie in it as dictionaries."""
    folder = golden.FOLDER / "wplus_adapter"
    tensors = golden.state_dict(folder / "wplus_adapter.small.tsv", folder / "golden.json")
    parts = {part: {} for part in ("w_proj", "wplus_adapter")}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    path = base / "models/face_adapter/wplus_adapter.bin"
    path.parent.mkdir(parents=True)
    torch.save(parts, path)
    from headless import standalone

    standalone.start(base)
    (loaded,) = nodes["LikenessLoadIdentityAdapter"].execute("wplus_adapter.bin").args
    assert (loaded.network.title, loaded.network.hook, len(loaded.blocks)) == ("W+ adapter", "attn2", 16)
