"""Arc2Face's files and its expression adapter against diffusers; ``tests/host/adapt`` has them in core's classes."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

import golden
import seeding
from likeness import adapt
from likeness.adapt import Person, Site, arc2face, expression, unet
from likeness.types import Embeddings
from likeness.weights import UnsupportedCheckpointError, build

FOLDER = golden.FOLDER / "arc2face"
ONE, DEEP = "arc2face_exp_adapter", "arc2face_exp_adapter_deep"


def seeded(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def tensors(stem):
    return golden.state_dict(FOLDER / f"{stem}.small.tsv", FOLDER / f"{stem}.small.json")


@pytest.fixture(scope="module", params=[ONE, DEEP])
def case(request):
    """Each of the two projections: its golden file, and its two halves."""
    return FOLDER / f"{request.param}.small.json", build(tensors(request.param), adapt.SYSTEMS).split()


def shown(numbers=None, space=expression.SPACE):
    return Person(embeddings=Embeddings(None, space, seeded("expression", 1, 55) if numbers is None else numbers))


def test_tokens_are_diffusers(case):
    file, (encoder, _) = case
    with torch.no_grad():
        tokens = encoder(torch.stack([seeded("expression", 55), torch.zeros(55)]))
        given = encoder.encode(shown())
    assert golden.difference(file, "tokens", tokens) < 1e-4
    torch.testing.assert_close(torch.stack([given.person, given.nobody]), tokens)


def test_a_block_adds_what_its_queries_find_in_the_tokens(case):
    """The weight 0 leaves the text's answer as it is, and it is linear in the weight."""
    _, (_, blocks) = case
    block = blocks["input", 1, 0]
    q, k, v = seeded("q", 2, 24, 320), seeded("k", 2, 77, 320), seeded("v", 2, 77, 320)
    site = Site(q, 8, None, q, k, v, lambda: v[:, :24])
    tokens = seeded("tokens", 2, 4, 768)
    with torch.no_grad():
        none, half, whole = (block(site, tokens, weight) for weight in (0.0, 0.5, 1.0))
    assert torch.equal(none, v[:, :24])
    torch.testing.assert_close(half - none, (whole - none) / 2)
    with pytest.raises(ValueError, match="Expected a site in a cross-attention, got one in the residual stream"):
        block(Site(q, 8), tokens, 1.0)


@pytest.mark.parametrize("stem", [ONE, DEEP])
def test_the_published_blocks_are_those_of_stable_diffusion(stem):
    encoder, blocks = build(seeding.read_layout(FOLDER / f"{stem}.tsv")[0], adapt.SYSTEMS).split()
    widths = [blocks[key].width for key in unet.blocks("sd15").values()]
    assert widths == [320] * 2 + [640] * 2 + [1280] * 5 + [640] * 3 + [320] * 3 + [1280]
    assert {block.context for block in blocks.values()} == {encoder.context} == {768}


def test_the_encoder_is_clip_s_and_gives_its_weights_away_once():
    layout = seeding.read_layout(FOLDER / "arc2face_encoder.tsv")[0]
    network = build(layout, adapt.SYSTEMS)
    assert isinstance(network, adapt.Speaker)
    assert network.split() == (None, {})
    given = network.text_encoder()
    assert (given.layers, given.width, given.heads, given.hidden) == (12, 768, 12, 3072)
    assert set(given.tensors) == set(layout)
    assert network.words().sentence == "photo of a id person"
    build({**layout, "text_model.embeddings.position_ids": torch.zeros(1, 77)}, adapt.SYSTEMS)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        build({**layout, "text_projection.weight": torch.zeros(768, 768)}, adapt.SYSTEMS)


def test_another_text_encoder_has_the_same_tensors_so_a_file_is_believed_by_its_name():
    layout = seeding.read_layout(FOLDER / "arc2face_encoder.tsv")[0]
    for name in ("arc2face/base", "mine/Arc2Face_encoder.safetensors"):
        adapt.check_layout(layout, adapt.SYSTEMS, name)
    with pytest.raises(
        UnsupportedCheckpointError,
        match=r"Expected Arc2Face, which has the same tensors as the text encoder of any Stable Diffusion 1\.5, got "
        r"clip_l\.safetensors, which may be either: choose arc2face/\.\.\., or put arc2face into the name",
    ):
        adapt.check_layout(layout, adapt.SYSTEMS, "clip_l.safetensors")


def test_other_ip_adapters_are_refused():
    held = tensors(ONE)
    with pytest.raises(UnsupportedCheckpointError, match="an IP-Adapter of 55 numbers, got one of 1024 numbers"):
        build({**held, "image_proj.proj.weight": torch.zeros(3072, 1024)}, adapt.SYSTEMS)
    plus = {name: tensor for name, tensor in held.items() if not name.startswith("image_proj.proj.")}
    with pytest.raises(UnsupportedCheckpointError, match="got one of more than a vector"):
        build(plus, adapt.SYSTEMS)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        build({**held, "ip_adapter.0.to_q_lora.down.weight": torch.zeros(128, 320)}, adapt.SYSTEMS)


def test_an_expression_is_55_numbers_of_one_face(case):
    _, (encoder, _) = case
    for person, got in (
        (Person(), "got none"),
        (shown(torch.zeros(2, 55)), "got 2 of 55 numbers, smirk_expression"),
        (shown(torch.zeros(1, 53)), "got 1 of 53 numbers"),
        (shown(torch.zeros(1, 55), "arcface-1"), "got 1 of 55 numbers, arcface-1"),
    ):
        with pytest.raises(
            ValueError, match=f"one expression of 55 numbers .*, {got}.*: connect Expression Parameters"
        ):
            encoder.encode(person)


def test_a_persons_direction_is_of_length_1_whatever_the_networks_is():
    known = Embeddings(None, "arcface-1", seeded("one", 1, 512) * 20)
    found = arc2face.direction(Person(embeddings=known))
    torch.testing.assert_close(found.norm(), torch.tensor(1.0))
    torch.testing.assert_close(found, known.normed_embedding[0])
    opposite = torch.cat([known.embedding, -known.embedding])
    with pytest.raises(ValueError, match="identities with a middle, got ones that cancel out"):
        arc2face.direction(Person(embeddings=replace(known, embedding=opposite)))


class Letters:
    """A text encoder that tells letters apart; its cond are the tokens' numbers."""

    def tokenize(self, text):
        words = [(word, 1.0) for word in text.split()]
        return {"l": [[("start", 1.0), *words]], "g": [[("start", 1.0), *words, ("end", 1.0)]]}

    def encode(self, lines):
        return adapt.Phase(torch.zeros(1, len(lines["l"][0]), 4))


def test_a_word_is_replaced_wherever_it_stands_in_every_text_encoder():
    lines = Letters().tokenize("id of id")
    vectors = {"l": torch.ones(4), "g": torch.zeros(6)}
    made = adapt.words.replace_word(Letters(), lines, "id", vectors)
    assert [token is vectors["l"] for token, _ in made["l"][0]] == [False, True, False, True]
    assert [token is vectors["g"] for token, _ in made["g"][0]] == [False, True, False, True, False]
    assert lines == Letters().tokenize("id of id")
    with pytest.raises(ValueError, match='the word "id" in the prompt, where the person is put, got none: write it'):
        adapt.words.replace_word(Letters(), Letters().tokenize("a person"), "id", vectors)


def test_expressions_are_read_from_files_of_both_kinds(tmp_path):
    rows = seeded("rows", 3, 55)
    np.save(tmp_path / "some.npy", rows.double().numpy())
    np.save(tmp_path / "one.npy", rows[0].numpy())
    parts = dict(zip(("expression_params", "eyelid_params", "jaw_params"), rows.split([50, 2, 3], 1), strict=True))
    safetensors.torch.save_file({name: part.contiguous() for name, part in parts.items()}, tmp_path / "s.safetensors")
    torch.testing.assert_close(expression.read(tmp_path / "some.npy"), rows)
    torch.testing.assert_close(expression.read(tmp_path / "s.safetensors"), rows)
    assert expression.read(tmp_path / "one.npy").shape == (1, 55)
    torch.testing.assert_close(expression.pick(rows, 2), rows[2])
    with pytest.raises(ValueError, match="a frame from 0 to 2, got 3: the file has 3"):
        expression.pick(rows, 3)


def test_files_of_something_else_are_refused(tmp_path):
    np.save(tmp_path / "short.npy", np.zeros((2, 53)))
    np.save(tmp_path / "nan.npy", np.full(55, np.nan))
    np.save(tmp_path / "code.npy", np.array([print], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:200])
    (tmp_path / "cut.safetensors").write_bytes(b"12345678")
    safetensors.torch.save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("short.npy", "nan.npy"):
        with pytest.raises(ValueError, match=rf"Expected \(N, 55\) finite numbers in {name}"):
            expression.read(tmp_path / name)
    for name in ("code.npy", "cut.npy", "cut.safetensors", "other.safetensors"):
        with pytest.raises(ValueError, match=rf"Expected expressions in {name}, got .*: save \(N, 55\) numbers"):
            expression.read(tmp_path / name)


def test_an_expression_by_hand_stays_within_what_smirk_gives():
    still = expression.add(torch.zeros(55), expression.numbers(""), 0.0, 0.0, 0.0)
    assert still.embedding.abs().sum() == 0
    made = expression.add(torch.full((55,), 0.1), expression.numbers("1.5, -2\n0.5"), 2.0, -1.0, 1.0).embedding[0]
    torch.testing.assert_close(made[:4], torch.tensor([1.6, -1.9, 0.6, 0.1]))
    torch.testing.assert_close(made[50:], torch.tensor([1.0, 1.0, 0.0, 0.2, 0.1]))
    with pytest.raises(ValueError, match="numbers apart by spaces or commas, got 'smile'"):
        expression.numbers("smile")
    with pytest.raises(ValueError, match="up to 50 finite numbers, got 51"):
        expression.numbers("1 " * 51)
