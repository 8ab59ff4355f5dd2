"""FLIP against its authors' code on seeded weights: towers, matching head, their evaluation; and its conventions."""

from pathlib import Path

import pytest
import torch

import factories
import golden
import seeding
from likeness import embed, match
from likeness.embed import flip
from likeness.types import Embeddings, Faces, Matches
from likeness.weights import UnsupportedCheckpointError, build, join, read_text

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/flip"
GOLDEN = CHECKPOINT / "golden.json"
TEXTS = (
    'She has LONG, wavy hair -- and high cheekbones! ("smiling")',
    "A man with no beard; his nose: big~ #old",
    "Café   smiling?\n the [CLS] 中face's unheard-of eyeglasses",
)


def tensors(words: bool = True) -> dict[str, torch.Tensor]:
    parts = {"": "flip_base", "vocabulary": "bert_base_uncased_vocab"}
    given = {part: golden.state_dict(CHECKPOINT / f"{stem}.small.tsv", GOLDEN) for part, stem in parts.items()}
    return join(given if words else {"": given[""]})


@pytest.fixture(scope="module")
def network():
    return build(tensors(), embed.SYSTEMS)


def crops() -> torch.Tensor:
    return seeding.noise("crops", torch.Size([3, 3, 48, 48])).float() * 2


def faces(*boxes: tuple[float, ...], size: tuple[int, int] = (64, 64)) -> Faces:
    index = torch.arange(len(boxes))
    return Faces(size, 1, index, index * 0, torch.tensor(boxes).reshape(-1, 4), torch.ones(len(boxes)))


def matched(network, monkeypatch) -> Matches:
    """Of the golden's three crops and texts."""
    monkeypatch.setattr(flip, "crop", lambda image, found, side: crops())
    return network.match(torch.zeros(1, 64, 64, 3), faces(*[(0.0, 0, 9, 9)] * 3), TEXTS)


def test_a_face_and_a_text_are_seen_as_the_authors_see_them(network):
    seen = network.look(crops())
    assert golden.difference(GOLDEN, "patches", seen) < 1e-4  # all tokens are normalised behind the last layer
    assert golden.difference(GOLDEN, "face_vectors", network.vision_proj(seen[:, 0])) < 1e-4
    assert golden.difference(GOLDEN, "text_vectors", network.embed_text(TEXTS).embedding) < 1e-4
    read = [network.text_encoder(network.words.encode(text)[None])[:, 0] for text in TEXTS]  # theirs are padded to 65
    assert golden.difference(GOLDEN, "read", torch.cat(read)) < 1e-4


def test_the_matching_head_judges_as_the_authors(network, monkeypatch):
    found = matched(network, monkeypatch)
    assert golden.difference(GOLDEN, "logits", found.logits) < 1e-4
    torch.testing.assert_close(found.probability, (found.logits[..., 1] - found.logits[..., 0]).sigmoid())


def test_faces_are_ranked_by_a_text_as_in_the_authors_evaluation(network, monkeypatch):
    """Theirs leaves [CLS] where training has [ENC], and gives -100 to faces that the head does not look at."""
    found, scores = matched(network, monkeypatch), []
    for number in range(3):
        one = Matches(found.faces, (TEXTS[number],), found.similarity[:, [number]], found.logits[:, [number]])
        near = one.similarity[:, 0]
        looked = match.first(near, 2)
        ranking = match.order(near, looked, one.select(looked))
        scores.append(torch.full((3,), -100.0).index_copy_(0, ranking.row, ranking.score.nan_to_num(-100)))
    assert golden.difference(GOLDEN, "texts_to_faces", torch.stack(scores)) < 1e-4
    other = network.text_encoder(torch.tensor([[network.words.size + 1, *network.words.encode(TEXTS[0])[1:]]]))
    assert not torch.allclose(other[:, 0], network.text_encoder(network.words.encode(TEXTS[0])[None])[:, 0], atol=0.01)


def test_the_whole_file_has_the_authors_tensors_and_training_stays_behind():
    layout = join(
        {
            "": seeding.read_layout(CHECKPOINT / "flip_base.tsv")[0],
            "vocabulary": seeding.read_layout(CHECKPOINT / "bert_base_uncased_vocab.tsv")[0],
        }
    )
    network = build(layout, match.SYSTEMS)
    assert layout["image_queue"].shape == (256, 61440)  # of the authors' yaml; their class says 57600
    assert flip.hparams(layout) == {
        "vision": {"width": 768, "hidden": 3072, "patch": 16, "places": 197, "layers": 12},
        "text": {"tokens": 30524, "places": 512, "layers": 12, "width": 768, "given": 768, "hidden": 3072},
        "size": 256,
        "vocabulary": 231508,
    }
    assert network.side == 224
    assert sum(parameter.numel() for parameter in network.parameters()) == 223_453_187  # as the authors' class prints
    assert not [name for name in network.state_dict() if "_m." in name or "queue" in name or "position_ids" in name]
    longer = layout | {"image_queue": torch.empty(256, 57600, device="meta")}
    build(longer, match.SYSTEMS)


def test_a_text_file_is_a_tensor_of_its_bytes(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("[PAD]\ncafé\n".encode())
    assert bytes(read_text(str(path))["text"].tolist()).decode() == "[PAD]\ncafé\n"
    for held, what in ((b"", "nothing"), (b"PK\0\0", "other bytes")):
        path.write_bytes(held)
        with pytest.raises(UnsupportedCheckpointError, match=f"Expected a text, got {what} in .*vocab.txt"):
            read_text(str(path))


def test_weights_without_their_vocabulary_see_faces_and_read_nothing():
    network = build(tensors(words=False), embed.SYSTEMS)
    assert network.embed(torch.zeros(1, 64, 64, 3), faces((8.0, 8, 50, 50))).embedding.shape == (1, 32)
    with pytest.raises(ValueError, match=r"Expected the vocabulary of bert-base-uncased with these weights, got none"):
        network.embed_text(["a face"])
    assert network.space == build(tensors(), embed.SYSTEMS).space


def test_another_models_vocabulary_is_refused():
    given = tensors()
    given["vocabulary.text"] = torch.cat([given["vocabulary.text"], torch.tensor(list(b"more\n"), dtype=torch.uint8)])
    size = given["text_encoder.embeddings.word_embeddings.weight"].shape[0] - 2
    with pytest.raises(
        ValueError, match=f"vocabulary of {size} tokens for these weights, got {size + 1}: it is another"
    ):
        build(given, embed.SYSTEMS).embed_text(["a face"])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_has_a_vector_and_a_judgement_of_each_text(network, count):
    found = faces(*[(8.0, 8, 50, 50), (-20.0, 30, 30, 90)][:count])
    image = factories.photo(64, 64, 0)[None]
    vectors = network.embed(image, found)
    assert vectors.embedding.shape == (count, 32)
    assert (vectors.metric, vectors.threshold) == ("cosine", None)
    for texts in (TEXTS, TEXTS[:1]):
        told = network.match(image, found, texts)
        assert told.similarity.shape == told.probability.shape == (count, len(texts))
        assert told.texts == texts
        torch.testing.assert_close(told.similarity, vectors.similarity(network.embed_text(texts)))
        if count:
            assert -1 <= told.similarity.min() <= told.similarity.max() <= 1
            assert 0 < told.probability.min() <= told.probability.max() < 1


def test_thirty_three_faces_are_looked_at_in_two_parts(network):
    boxes = [(float(i), float(i), i + 20.0, i + 24.0) for i in range(33)]
    image = factories.photo(64, 64, 1)[None]
    told = network.match(image, faces(*boxes), TEXTS[:2])
    one = network.match(image, faces(boxes[32]), TEXTS[:2])
    torch.testing.assert_close(told.logits[32], one.logits[0])


def test_a_crop_is_the_box_stretched_and_normalised():
    """As torchvision resizes and CLIP normalises; theirs are rounded to whole numbers of 255 besides."""
    from torchvision.transforms import functional as transforms

    image = factories.photo(64, 80, 2)[None]
    (piece,) = flip.crop(image, faces((9.5, 19.5, 69.5, 49.5), size=(64, 80)), 48)
    shown = image[0, 20:50, 10:70].movedim(-1, 0)
    resized = transforms.resize(shown, [48, 48], transforms.InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
    mean, deviation = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    torch.testing.assert_close(piece, transforms.normalize(resized, mean, deviation))


def test_a_mirrored_face_gives_the_mirrored_crop():
    image = factories.photo(64, 64, 3)[None]
    (there,) = flip.crop(image, faces((5.3, 10.1, 40.8, 52.9)), 48)
    (back,) = flip.crop(image.flip(2), faces((63 - 40.8, 10.1, 63 - 5.3, 52.9)), 48)
    torch.testing.assert_close(back.flip(-1), there, atol=1e-4, rtol=0)


def test_faces_outside_and_of_no_size_leave_a_pixel():
    boxes = [(-40.0, -30.0, 20, 30), (200, 200, 240, 240), (-90, -90, -50, -50), (3, 3, 3, 3)]
    pieces = flip.crop(factories.photo(64, 64, 4)[None], faces(*boxes), 48)
    assert pieces.shape == (4, 3, 48, 48)
    assert bool(pieces.isfinite().all())


def test_channels_are_red_green_blue(network):
    """A pure red picture is red to the network, not blue."""
    whole, vectors = faces((-0.5, -0.5, 63.5, 63.5)), []
    for channel in (0, 2):
        image = torch.zeros(1, 64, 64, 3).index_fill(3, torch.tensor(channel), 1.0)
        bare = (image[:, :1, :1].expand(1, 48, 48, 3) - flip.MEAN) / flip.DEVIATION
        vectors.append(network.embed(image, whole).embedding)
        torch.testing.assert_close(vectors[-1], network.vision_proj(network.look(bare.movedim(-1, 1))[:, 0]))
    assert not torch.allclose(*vectors, atol=0.01)


def test_faces_and_texts_of_other_weights_are_not_compared(network):
    changed = tensors()
    changed["vision_proj.bias"] = changed["vision_proj.bias"] + 1
    other = build(changed, embed.SYSTEMS)
    assert other.space != network.space
    with pytest.raises(ValueError, match="Expected two embeddings of one space"):
        other.embed_text(["a face"]).similarity(network.embed_text(["a face"]))
    assert isinstance(network.embed_text([]), Embeddings)
    assert len(network.embed_text([])) == 0


def test_the_temperature_is_kept_where_training_keeps_it():
    for held, used in ((0.07, 0.07), (-1.0, 0.001), (9.0, 0.5)):
        network = build(tensors() | {"temp": torch.tensor(held)}, embed.SYSTEMS)
        assert network.temperature == pytest.approx(used)


def test_another_checkpoint_is_refused():
    with pytest.raises(UnsupportedCheckpointError, match=r"Not a checkpoint of flip: it holds 1 tensors"):
        build({"conv1.weight": torch.zeros(1)}, match.SYSTEMS)
