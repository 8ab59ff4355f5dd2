"""PVA in a block of core's own, and trained on one person on a toy, by the node as a person queues it."""

import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

import golden
import seeded
import seeding
from headless import PACK, workflow
from host.adapt import cases, toys

FOLDER = PACK / "tests/checkpoints/pva"
CONTEXT, WIDTH, HEADS = 128, 320, 5
STEPS = 24
SMALL = {"size": 64, "learning_rate": 2e-3, "seed": 3}


def noise(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def part(house, name):
    return sys.modules[house.adapt.__name__ + name]


def test_cores_block_with_ours_gives_what_the_authors_attention_gives(house):
    from comfy.ldm.modules.attention import BasicTransformerBlock

    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    network = weights.build(golden.state_dict(FOLDER / "pva.small.tsv", FOLDER / "golden.json"), house.adapt.SYSTEMS)
    core = BasicTransformerBlock(WIDTH, HEADS, WIDTH // HEADS, context_dim=CONTEXT).eval()
    for held in core.parameters():
        held.data = torch.zeros(held.shape)
    core.norm2.weight.data = noise("base.norm2.weight", WIDTH) * 0.1 + 1
    for name, held in core.attn2.named_parameters():
        held.data = noise(f"base.{name}", *held.shape) * (3 / held.shape[-1]) ** 0.5
    x, text, tokens = noise("x", 2, 24, WIDTH) * 2, noise("text", 2, 77, CONTEXT), noise("tokens", 2, 4, CONTEXT) * 2
    for name, key in part(house, ".unet").blocks("sd15").items():
        block = network.split()[1][key]

        def replaced(q, k, v, options, block=block):
            attend = house.sampling.attend(options)
            site = house.adapt.Site(
                options[house.sampling.INPUT], options["n_heads"], attend, q, k, v, lambda: attend(q, k, v, HEADS)
            )
            return block(site, tokens, 1.0)

        options = {"patches": {"attn2_patch": [house.sampling.keep_input]}, "block": key[:2], "block_index": key[2]}
        with torch.no_grad():
            made = core(x, text, {**options, "patches_replace": {"attn2": {key: replaced}}}) - x
            without = core(x, text, options) - x
        assert golden.difference(FOLDER / "golden.json", f"attention.{name}", made) < 2e-5
        assert golden.difference(FOLDER / "golden.json", f"attention.{name}", without) > 1e-2


class Class:
    """All that the node is given besides the model, made as core makes it: in inference mode."""

    def __init__(self, house) -> None:
        self.house = house
        host = sys.modules[house.binding.__name__.removesuffix("adapt") + "host"]
        arcface = sys.modules[house.adapt.__name__.removesuffix("adapt") + "embed.arcface"]
        with torch.inference_mode():
            self.clip, self.vae = toys.clip(), toys.vae()
            self.embedder = host.Model(toys.fill(arcface.IResNet((4,) * 5, (1,) * 4, 7, 512), 9).eval())
            self.person = {name: house.person(1, 2)[name] for name in ("image", "faces")}

    def train(self, model, steps=8, **more):
        given = {"clip": self.clip, "vae": self.vae, "embedder": self.embedder, **self.person, "steps": steps}
        with torch.inference_mode():
            return self.house.nodes["LikenessTrainIdentityAdapter"].execute(model, **{**given, **SMALL, **more}).args

    def sample(self, model, positive=None, **more):
        """Two steps of inpainting the right half, as core's nodes do it."""
        import nodes

        image, mask = torch.full((1, 64, 64, 3), 0.6), torch.zeros(1, 64, 64)
        mask[:, :, 32:] = 1
        words = positive or toys.text("sd2_inpaint", 1)
        with torch.inference_mode():
            told = nodes.InpaintModelConditioning().encode(words, toys.text("sd2_inpaint", 2), image, self.vae, mask)
            (made,) = nodes.common_ksampler(model, 1, 2, 2.0, "euler", "simple", *told, **more)
        return made["samples"]


@pytest.fixture(scope="module")
def lesson(house):
    return Class(house)


def made_in_inference_mode(dtype=torch.float32):
    with torch.inference_mode():
        made = toys.model("sd2_inpaint", dtype)
        made.model.diffusion_model.out[2].weight.data *= 20  # a toy's output counts for little in the loss else
        return made


@pytest.fixture(scope="module")
def model():
    return made_in_inference_mode()


@pytest.fixture(scope="module")
def trained(lesson, model):
    return lesson.train(model, STEPS)


def rows(report):
    return {row[0]: row[1:] for row in report.table.rows()}


def test_training_lowers_the_loss_of_the_same_noise_and_leaves_the_model_as_it_was(house, lesson, model, trained):
    import comfy.model_management

    adapter, embeddings, _, figure, report = trained
    assert embeddings.space.startswith("arcface-")
    assert len(embeddings) == 2
    for before, after in rows(report).values():
        assert after < 0.93 * before
    assert figure.shape[0] == 1
    assert len(report.sections[1].table) == STEPS
    fresh = made_in_inference_mode()
    for (name, held), other in zip(model.model.state_dict().items(), fresh.model.state_dict().values(), strict=True):
        assert torch.equal(held, other), name
        assert held.is_inference() == other.is_inference()
    assert torch.equal(lesson.sample(model), lesson.sample(fresh))
    assert not any("transformer_options" in key and value for key, value in model.model_options.items() if value)
    assert not comfy.model_management.in_training
    assert all(held.dtype == torch.float32 and not held.requires_grad for held in adapter.network.parameters())


@pytest.mark.parametrize("kind", ["EPS", "V_PREDICTION"])
def test_the_loss_is_the_denoiser_s_own_on_what_core_s_inpainting_tells_it(house, lesson, kind):
    """Its output against the noise, or the velocity, of a picture noised as the sampler scales it."""
    import comfy.model_base

    gradients = sys.modules[house.nodes["LikenessTrainIdentityAdapter"].__module__].with_gradients()
    tuning, pva = part(house, ".fine_tuning"), part(house, ".pva")
    made, seen = made_in_inference_mode(), []
    config, measured = made.model.model_config, getattr(comfy.model_base.ModelType, kind)
    made.model.model_sampling = comfy.model_base.model_sampling(config, measured)
    with torch.inference_mode():
        image = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))
        mask = torch.zeros(1, 64, 64)
        mask[:, 16:48, :32] = 1
        pictures = gradients.Pictures(lesson.vae, image, mask)
        grey = torch.where(mask[..., None] > 0, 0.5, image)
        latent, masked = (made.model.process_latent_in(lesson.vae.encode(held.flip(2))) for held in (image, grey))
    with gradients.training():
        denoiser = gradients.Denoiser(made, lesson.clip, pictures, tuning.PROMPT)
        network = pva.start(denoiser.projections(), denoiser.lines.begin(), "arcface-1", 0)
        denoiser.model.model.diffusion_model.register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
        mirrored = tuning.Lesson(0, True, torch.randn(1, 512, generator=torch.Generator().manual_seed(1)))
        loss = denoiser.loss(network)(mirrored, tuning.tokens(network, mirrored), 0.7, torch.Generator().manual_seed(4))
        sigma = denoiser.model.model.model_sampling.sigma(torch.tensor([700.0]))
        denoiser.close()
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(4))
    ((told, out),) = seen
    length = (1 + sigma**2) ** 0.5
    target = noise if kind == "EPS" else (noise - sigma * latent) / length
    wrong = (out - target).square().detach()
    torch.testing.assert_close(loss.detach()[0], wrong.mean(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loss.detach()[1], wrong[..., 2:6, 4:].mean(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(told[:, :4].detach(), (latent + sigma * noise) / length, atol=1e-4, rtol=1e-4)
    covered = torch.zeros(1, 1, 8, 8)
    covered[..., 2:6, 4:] = 1
    assert torch.equal(told[:, 4:5].detach(), covered)
    torch.testing.assert_close(told[:, 5:].detach(), masked, atol=1e-4, rtol=1e-4)


def test_what_was_learned_shows_in_core_s_sampler(house, lesson, model, trained):
    adapter, embeddings, positive, *_ = trained
    shown = house.apply(model, adapter, embeddings=embeddings)
    without, made = lesson.sample(model, positive), lesson.sample(shown, positive)
    assert made.isfinite().all()
    assert (made - without).abs().max() > 1e-2
    assert (lesson.sample(shown) - made).abs().max() > 1e-3  # the word
    other = cases.identity_of(house, 5)["embeddings"]
    with pytest.raises(ValueError, match="which PVA was trained on, got arcface-1: choose"):
        house.apply(model, adapter, embeddings=other)


def test_every_copy_learns_and_the_transform_network_does_not(house, model, trained):
    network = trained[0].network
    for key, block in house.sampling.transformer_blocks(model):
        for name in "qkv":
            ours = network.split()[1][key].get_submodule(f"to_visual_{name}").weight
            theirs = block.attn2.get_submodule(f"to_{name}").weight
            assert 0 < (ours - theirs).abs().max() < 2 * STEPS * SMALL["learning_rate"], (key, name)
    fresh = part(house, ".pva").untrained(toys.CONTEXT["sd2_inpaint"], SMALL["seed"]).state_dict()
    for name, held in network.transform_network.state_dict().items():
        assert torch.equal(held, fresh[name]), name


def test_a_seed_gives_the_same_again_and_the_word_moves(lesson, model, trained):
    again = lesson.train(model, STEPS)
    first, second = (made[0].network.state_dict() for made in (trained, again))
    for name, held in first.items():
        torch.testing.assert_close(held, second[name], atol=1e-6, rtol=1e-4)
    end = lesson.clip.cond_stage_model.clip_h.transformer.get_input_embeddings().weight[49407]
    assert 1e-4 < (first["modifier_vec"] - end).abs().max() < 0.1


def test_a_saved_adapter_is_recognised_and_its_word_is_a_word_of_core_s_prompts(house, lesson, model, base):
    import folder_paths

    names = []
    try:
        for _ in range(2):
            adapter, _, positive, *_ = lesson.train(model, 1, save_as="somebody")
            names = sorted(path.name for path in (base / "models/face_adapter").glob("somebody*"))
        assert names == ["somebody.safetensors", "somebody_2.safetensors"]
        (loaded,) = house.nodes["LikenessLoadIdentityAdapter"].execute("somebody_2.safetensors").args
        assert loaded.network.title == "PVA"
        for name, held in adapter.network.state_dict().items():
            assert torch.equal(held.cpu(), loaded.network.state_dict()[name].cpu()), name
        embeddings = f"{folder_paths.models_dir}/embeddings"
        assert embeddings in folder_paths.get_folder_paths("embeddings")
        word = safetensors.torch.load_file(f"{embeddings}/somebody_2.safetensors")
        assert word["clip_h"].shape == (1, toys.CONTEXT["sd2_inpaint"])
        inner = lesson.clip.tokenizer.clip_h
        known = inner.embedding_directory, inner.embedding_size
        inner.embedding_directory, inner.embedding_size = embeddings, toys.CONTEXT["sd2_inpaint"]
        try:
            tokens = lesson.clip.tokenize("photo of a embedding:somebody_2 person")
            with torch.inference_mode():
                told = lesson.clip.encode_from_tokens(tokens)
        finally:
            inner.embedding_directory, inner.embedding_size = known
        torch.testing.assert_close(told, positive[0][0], atol=1e-5, rtol=1e-5)
    finally:
        for path in (base / "models").glob("*/somebody*.safetensors"):
            path.unlink()


def test_half_precision_trains_in_float32_and_a_lora_is_in_the_copies(house, lesson):
    half = made_in_inference_mode(torch.float16)
    adapter, _, _, _, report = lesson.train(half, 4)
    assert {held.dtype for held in adapter.network.parameters()} == {torch.float32}
    assert all(after < before for before, after in rows(report).values())
    lora = half.clone()
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight"
    weight = half.model.state_dict()[key]
    lora.add_patches({key: ("diff", (torch.full_like(weight, 0.5),))}, 1.0)
    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_visual_k.weight"
    moved = lesson.train(lora, 1)[0].network.state_dict()[name] - weight.float()
    assert moved.mean() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(half.model.state_dict()[key], weight)


def test_an_interrupt_stops_it_and_leaves_nothing_behind(house, lesson, model, monkeypatch):
    import comfy.model_management

    def unets():
        held = [held.model for held in comfy.model_management.current_loaded_models if held.model]
        return [type(patcher.model).__name__ for patcher in held].count("BaseModel")

    before, loaded = lesson.sample(model), unets()
    training = sys.modules[house.nodes["LikenessTrainIdentityAdapter"].__module__]
    steps = []

    class Bar:
        def __init__(self, total):
            pass

        def update(self, count):
            steps.append(count)
            if len(steps) == 2:
                comfy.model_management.interrupt_current_processing()

    monkeypatch.setattr(training.comfy.utils, "ProgressBar", Bar)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        lesson.train(model, 8)
    monkeypatch.undo()
    assert len(steps) == 2
    assert not comfy.model_management.in_training
    assert unets() <= loaded
    assert torch.equal(lesson.sample(model), before)


def test_no_face_two_faces_one_picture_and_several(house, lesson, model, trained):
    """Two pictures were trained on above; here is one, and what a picture may not have."""
    types = sys.modules[house.adapt.__name__.removesuffix("adapt") + "types"]
    image, faces = lesson.person["image"], lesson.person["faces"]
    one = {"image": image[:1], "faces": faces.images(0, 1)}
    adapter, embeddings, *_ = lesson.train(model, 1, **one)
    assert len(embeddings) == 1
    assert adapter.network.title == "PVA"
    for picked, error, said in (
        ([], types.NoFaceError, "Expected a face of the person, got none in 1 images"),
        ([0, 0], ValueError, "Expected one person, got 2 faces in the image"),
    ):
        with pytest.raises(error, match=said):
            lesson.train(model, image=image[:1], faces=one["faces"].select(torch.tensor(picked, dtype=torch.long)))
    with pytest.raises(ValueError, match="Expected the 2 images of 160 x 160 that the faces were found in, got 1"):
        lesson.train(model, image=image[:1])
    boxes = [[{"x": 30, "y": 30, "width": 100, "height": 110}]] * 2
    with pytest.raises(ValueError, match="Expected faces with five points, got boxes only"):
        lesson.train(model, faces=boxes)


def test_an_embedder_of_another_kind(house, lesson, model):
    class Other:
        def run(self, verb, image, faces):
            return house.types.Embeddings(faces, "dlib_resnet-1", torch.zeros(len(faces), 128))

    with pytest.raises(ValueError, match="an identity by arcface, which PVA was trained on, got dlib_resnet-1"):
        lesson.train(model, embedder=Other())


def test_what_is_wrong_is_said_before_anything_is_trained(house, lesson, model, trained):
    with pytest.raises(ValueError, match=r"Expected an inpainting model .* got SD15 with one that is told of no mask"):
        lesson.train(house.model("sd15"))
    with pytest.raises(ValueError, match="Expected an inpainting model"):
        lesson.train(house.model("sdxl"))
    shown = house.apply(model, trained[0], embeddings=trained[1])
    with pytest.raises(ValueError, match="a model that shows nobody yet, got one from Apply Identity Adapter"):
        lesson.train(shown)
    for prompt in ("photo of a person", "<new1> and <new1>"):
        with pytest.raises(ValueError, match="Expected a prompt with <new1> once"):
            lesson.train(model, prompt=prompt)
    with pytest.raises(ValueError, match="Expected a short prompt with <new1> outside of brackets"):
        lesson.train(model, prompt="<new1> " + "person " * 80)
    with pytest.raises(ValueError, match="Expected a short prompt with <new1> outside of brackets"):
        lesson.train(model, prompt="photo of (a <new1> person:1.2)")
    with pytest.raises(ValueError, match=r"Expected a plain name to save as, got \.\./mine"):
        lesson.train(model, save_as="../mine")


def test_its_workflow_runs_on_a_small_checkpoint_with_core_s_own_loader(house, session, base):
    path = PACK / "workflows/adapt_pva.json"
    prompt = workflow.to_api(seeded.read(path), session.info)
    shown = session.run(prompt)
    ((saved,),) = (
        found["images"] for found in shown.values() if "images" in found and found["images"][0]["type"] == "output"
    )
    made = np.asarray(Image.open(base / saved["type"] / saved["subfolder"] / saved["filename"]).convert("RGB")) / 255
    photo = np.asarray(Image.open(base / "input/likeness_astronaut.png").convert("RGB")) / 255
    moved = np.abs(made - photo).max(-1)
    assert moved.shape == (512, 512)
    assert moved[60:180, 180:270].mean() > 0.05  # her face
    assert moved[:, 450:].max() < 0.01
    (said,) = (text for found in shown.values() for text in found.get("text", ()))
    assert "masked part: loss" in said
