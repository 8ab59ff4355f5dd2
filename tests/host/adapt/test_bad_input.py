"""What is wrong is said at the node, before anything is sampled."""

import pytest
import safetensors.torch
import torch

from host.adapt import cases, toys


@pytest.fixture(scope="module")
def adapter(house):
    return house.binding.Adapter(cases.fact(house))


@pytest.mark.parametrize(("kind", "got"), [("sdxl", "SDXL with 70"), ("flux", "Flux with 0")])
def test_a_model_of_another_kind(house, adapter, kind, got):
    with pytest.raises(
        ValueError, match=f"Expected a model of Stable Diffusion 1.5, .* 16 attention blocks, got {got}"
    ):
        house.apply(house.model(kind), adapter, **house.person(1))


def test_no_face_two_faces_and_no_picture(house, adapter):
    model, given = house.model("sd15"), house.person(1)
    faces = given["faces"]
    nobody, two = faces.select(torch.tensor([], dtype=torch.long)), faces.select(torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="Expected a face of the person, got none in 1 images"):
        house.apply(model, adapter, image=given["image"], faces=nobody)
    with pytest.raises(ValueError, match="Expected one person, got 2 faces in the image"):
        house.apply(model, adapter, image=given["image"], faces=two)
    with pytest.raises(ValueError, match="Expected an image of the person and the faces in it, got none"):
        house.apply(model, adapter)


def test_a_head_mask_of_another_picture(house, adapter):
    with pytest.raises(ValueError, match="a head_mask of 1 images of 160 x 160, got 1 of 80 x 160"):
        house.apply(house.model("sd15"), adapter, **house.person(1), head_mask=torch.ones(1, 160, 80))


def test_a_mask_of_another_shape_is_refused_before_the_first_step(house, adapter, monkeypatch):
    model = house.apply(house.model("sd15"), adapter, **house.person(1), mask=torch.ones(1, 64, 128))
    steps = []
    monkeypatch.setattr(house.sampling.Queue, "begin", lambda *given: steps.append(given))
    with pytest.raises(ValueError, match="Expected a mask of the picture's shape, 8 to 8, got one of 128 x 64"):
        toys.sample(model, toys.text("sd15", 1), toys.text("sd15", 2))
    many = house.apply(house.model("sd15"), adapter, **house.person(1), mask=torch.ones(3, 64, 64))
    with pytest.raises(ValueError, match="Expected one mask or 2, one for each picture of the batch, got 3"):
        toys.sample(many, toys.text("sd15", 1), toys.text("sd15", 2), batch=2)
    assert not steps


def test_an_identity_of_another_space(house):
    faces = house.person(1)["faces"]
    person = house.adapt.Person(embeddings=house.types.Embeddings(faces, "dlib_resnet-1", torch.zeros(1, 128)))
    with pytest.raises(ValueError, match="an identity by arcface, which PVA was trained on, got dlib_resnet-1"):
        person.vectors("PVA", "arcface")
    with pytest.raises(ValueError, match="an identity by arcface, got none"):
        house.adapt.Person().vectors("PVA", "arcface")


def test_a_lora_and_half_a_file_at_the_loader(house, base):
    folder = base / "models/face_adapter"
    folder.mkdir(parents=True, exist_ok=True)
    load = house.nodes["LikenessLoadIdentityAdapter"].execute
    safetensors.torch.save_file({"unet.q.lora_up.weight": torch.ones(1)}, folder / "lora.safetensors")
    with pytest.raises(
        ValueError, match="Expected an identity adapter, got a LoRA of 1 tensors: load it with Load LoRA"
    ):
        load("lora.safetensors")
    tensors = cases.fact(house).state_dict()
    half = {name: tensor for name, tensor in tensors.items() if not name.startswith("transface.")}
    safetensors.torch.save_file(half, folder / "half.safetensors")
    with pytest.raises(ValueError, match="got a file without its face encoder TransFace: choose it by its name"):
        load("half.safetensors")
    safetensors.torch.save_file(tensors, folder / "whole.safetensors")
    (loaded,) = load("whole.safetensors").args
    assert loaded.network.title == "FaceChain-FACT"
    for path in folder.glob("*.safetensors"):
        path.unlink() if path.name in ("lora.safetensors", "half.safetensors", "whole.safetensors") else None


def test_weights_that_are_not_installed_are_named(house):
    said = house.nodes["LikenessLoadIdentityAdapter"].validate_inputs("facechain_fact/maj")
    assert "the weights facechain_fact/maj, which are not installed" in said
    assert "ModelScope" in said
