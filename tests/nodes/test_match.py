"""Load Text Matcher, Embed Text, Match Texts, Find Faces by Text and Ask about Faces, on a seeded FLIP."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import factories
import golden
from headless import standalone

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/flip"
ID = "flip/base"
BOX, AWAY = "179 63 91 111", "-20 470 60 60"  # the astronaut's face, and one over the border
TEXTS = "A woman with long, wavy hair.\n\nA man with no beard!"
ASKED = "eyeglasses\nhair: black hair | blond hair\ngender: a man | a woman"


def tensors(stem: str) -> dict[str, torch.Tensor]:
    return golden.state_dict(CHECKPOINT / f"{stem}.small.tsv", CHECKPOINT / "golden.json")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A local file with its vocabulary in it, and one without."""
    folder = tmp_path_factory.mktemp("flip")
    network, words = tensors("flip_base"), tensors("bert_base_uncased_vocab")["text"]
    save_file({**network, "vocabulary.text": words}, folder / "mine.safetensors")
    save_file(network, folder / "bare.safetensors")
    (folder / "vocab.txt").write_bytes(bytes(words.tolist()))
    return folder


@pytest.fixture
def installed(pack, base, weights):
    folder = base / "models/face_embedding"
    folder.mkdir()
    for path in weights.iterdir():
        (folder / path.name).symlink_to(path)
    standalone.start(base)
    return base


@pytest.fixture
def loaded(nodes, installed):
    return nodes["LikenessLoadTextMatcher"].execute("mine.safetensors").args


@pytest.fixture
def matcher(loaded):
    return loaded[0]


def run(nodes, node, *given, **more):
    with torch.inference_mode():
        return nodes[f"Likeness{node}"].execute(*given, **more).args


def found(nodes, frames, boxes):
    image = factories.read_photo("astronaut").expand(frames, -1, -1, -1)
    return image, nodes["LikenessFacesFromBoxes"].execute(image, boxes).args[0]


counts = pytest.mark.parametrize(("boxes", "count"), [("", 0), (BOX, 1), (f"{BOX}\n{AWAY}", 2)])
lengths = pytest.mark.parametrize("frames", [1, 2])


@counts
@lengths
def test_each_text_is_matched_with_each_face_of_each_frame(nodes, matcher, boxes, count, frames):
    table, best, similarity, probability = run(nodes, "MatchTexts", matcher, *found(nodes, frames, boxes), TEXTS)
    assert table.names == ("image", "face", "text", "similarity", "probability")
    assert len(table) == 2 * count * frames
    assert len(best.splitlines()) == count * frames
    assert set(best.splitlines()) <= set(TEXTS.split("\n\n"))
    if not count:
        assert similarity != similarity
        assert probability != probability
        return
    assert table["similarity"][0] == pytest.approx(similarity)
    assert table["probability"][0] == pytest.approx(probability)
    assert table["text"].tolist()[:2] == TEXTS.split("\n\n")
    assert table["image"].tolist() == sorted(table["image"].tolist())


@counts
@lengths
@pytest.mark.parametrize("by", ["similarity", "matching head"])
def test_each_face_answers(nodes, matcher, boxes, count, frames, by):
    image, faces = found(nodes, frames, boxes)
    more = {"template": "This person has {}.", "opposite": "This person has no {}.", "by": by, "threshold": 0.0}
    attributes, table, tags, text = run(nodes, "AskAboutFaces", matcher, image, faces, ASKED, **more)
    assert attributes.probability.shape == (count * frames, 5)
    assert len(tags.splitlines()) == len(json.loads(text)) == count * frames
    assert table.count("asked eyeglasses") == table.count("apparent, model output") == count * frames
    if count:
        torch.testing.assert_close(attributes.of("hair").sum(1), torch.ones(count * frames))
        assert tags.splitlines()[0].startswith("eyeglasses, ")
        assert "man" not in tags
    kept = run(nodes, "SelectByAttributes", attributes, "eyeglasses > 2")[0]
    assert len(kept) == 0


def test_the_ways_of_answering_are_what_they_say(nodes, pack, matcher):
    image, faces = found(nodes, 1, BOX)
    more = {"template": "A person with {}.", "opposite": "A person without {}."}
    asked = "A person with hat.", "A person without hat."
    network = matcher.ready()
    with torch.inference_mode():
        near = network.embed(image, faces).similarity(network.embed_text(asked))[0]
        sure = network.match(image, faces, asked[:1]).probability[0, 0]
    by_vectors = run(nodes, "AskAboutFaces", matcher, image, faces, "hat", **more)[0]
    by_head = run(nodes, "AskAboutFaces", matcher, image, faces, "hat", **more, by="matching head")[0]
    assert float(by_vectors.probability) == pytest.approx(float((near / network.temperature).softmax(0)[0]))
    assert float(by_head.probability) == pytest.approx(float(sure))


@pytest.mark.parametrize(("boxes", "count"), [(BOX, 1), (f"{BOX}\n{AWAY}", 2)])
@lengths
@pytest.mark.parametrize("rerank", [256, 1, 0])
def test_faces_are_found_by_a_text(nodes, matcher, boxes, count, frames, rerank):
    image, faces = found(nodes, frames, boxes)
    image = image * torch.linspace(1, 0.4, frames)[:, None, None, None]  # no two frames alike
    text = "a woman\nwith hair"
    kept, pictures, table, best = run(nodes, "FindFacesByText", matcher, image, faces, text, 1, rerank=rerank)
    assert len(kept) == len(pictures) == 1
    assert len(table) == count * frames
    assert table["place"].tolist() == list(range(1, count * frames + 1))
    torch.testing.assert_close(pictures[0], image[table["image"][0]])
    assert (kept.image_index.item(), kept.id.item()) == (table["image"][0], table["face"][0])
    assert table["similarity"][0] == pytest.approx(best)
    looked = sum(value is not None for value in (row[5] for row in table.rows()))
    assert looked == min(rerank, count * frames)
    if looked == len(table):
        scores = table["score"].tolist()
        assert scores == sorted(scores, reverse=True)
        matched, *_ = run(nodes, "MatchTexts", matcher, image, faces, text.replace("\n", " "))
        assert sorted(matched["probability"]) == pytest.approx(sorted(table["probability"]))
    if not looked:
        assert table["similarity"].tolist() == sorted(table["similarity"].tolist(), reverse=True)
    everybody, all_pictures, *_ = run(nodes, "FindFacesByText", matcher, image, faces, text, 0, rerank=rerank)
    assert torch.equal(everybody.bbox, faces.bbox)
    assert len(all_pictures) == frames


@lengths
def test_where_nobody_is_nobody_is_found(pack, nodes, matcher, frames):
    with pytest.raises(pack.likeness.types.NoFaceError, match=f"Expected a face in one of {frames} images, got none"):
        run(nodes, "FindFacesByText", matcher, *found(nodes, frames, ""), "a man", 1)


def test_texts_and_faces_meet_in_the_nodes_of_identities(nodes, loaded):
    matcher, embedder = loaded
    image, faces = found(nodes, 2, f"{BOX}\n{AWAY}")
    (texts,) = run(nodes, "EmbedText", matcher, TEXTS)
    (known,) = run(nodes, "EmbedFaces", embedder, image, faces)
    assert (len(texts), len(known)) == (2, 4)
    assert texts.space == known.space
    assert texts.weights == known.weights == "mine.safetensors, a file of one's own"
    table, _, similarity, _ = run(nodes, "MatchTexts", matcher, image, faces, TEXTS)
    compared = run(nodes, "CompareFaces", known.select(torch.tensor([0])), texts.select(torch.tensor([0])), 0.5)
    assert compared[0] == pytest.approx(similarity, abs=1e-5)
    _, best, _ = run(nodes, "RankByIdentity", image, known, texts.select(torch.tensor([0])), 1)
    assert best == pytest.approx(max(table["similarity"][::2]), abs=1e-5)
    _, measure, named, _ = run(nodes, "FindIdentity", texts, known, 1)
    assert measure == pytest.approx(best, abs=1e-5)
    assert len(named) == 2


def test_the_published_files_are_joined(nodes, pack, base, weights, monkeypatch):
    """By their manifest's names. The vocabulary here is a smaller one: first it is refused, then nobody asks."""
    load = nodes["LikenessLoadTextMatcher"]
    said = load.validate_inputs(ID)
    assert "models/face_embedding/bert_base_uncased_vocab.txt (0.2 MB): google-bert/bert-base-uncased@86b5e09" in said
    assert "OpenFace-CQUPT/FLIP@main: ckpt/FLIP-base.pth" in said
    folder = base / "models/face_embedding"
    folder.mkdir()
    (folder / "flip_base.safetensors").symlink_to(weights / "bare.safetensors")
    (folder / "bert_base_uncased_vocab.txt").symlink_to(weights / "vocab.txt")
    standalone.start(base)
    assert "which are damaged" in load.validate_inputs(ID)
    published = pack.nodes.host.published_models(pack.likeness.match.SYSTEMS)[ID]
    any_size = replace(published, files=tuple(replace(file, bytes=None, sha256=None) for file in published.files))
    monkeypatch.setattr(pack.nodes.host, "published_models", lambda systems: {ID: any_size})
    assert load.validate_inputs(ID) is True
    matcher, _ = load.execute(ID).args
    assert matcher.weights == "flip/base; licence: Apache-2.0; commercial use: unclear"
    assert len(run(nodes, "EmbedText", matcher, TEXTS)[0]) == 2


def test_what_is_wrong_with_a_text_is_said_before_faces_are_looked_at(nodes, matcher):
    image, faces = found(nodes, 1, BOX)
    long = "A woman with long, wavy hair. " * 12
    for node, given in (("EmbedText", (long,)), ("MatchTexts", (image, faces, long))):
        with pytest.raises(ValueError, match=r"at most 65 tokens, .*, got 86 in .*: its first 54 words fit"):
            run(nodes, node, matcher, *given)
    with pytest.raises(ValueError, match="at most 65 tokens"):
        run(nodes, "FindFacesByText", matcher, image, faces, long, 1)
    with pytest.raises(ValueError, match="Expected a text with words, got ''"):
        run(nodes, "FindFacesByText", matcher, image, faces, " ", 1)
    with pytest.raises(ValueError, match="Expected a text, got none"):
        run(nodes, "MatchTexts", matcher, image, faces, "")
    with pytest.raises(ValueError, match=r"Expected a template with \{\} where the label goes"):
        run(nodes, "AskAboutFaces", matcher, image, faces, ASKED, "has", "has no {}")


def test_weights_without_a_vocabulary_and_other_files_are_refused(nodes, installed):
    matcher, embedder = nodes["LikenessLoadTextMatcher"].execute("bare.safetensors").args
    image, faces = found(nodes, 1, BOX)
    assert len(run(nodes, "EmbedFaces", embedder, image, faces)[0]) == 1
    with pytest.raises(ValueError, match="Expected the vocabulary of bert-base-uncased with these weights, got none"):
        run(nodes, "EmbedText", matcher, TEXTS)
    save_file({"fc.weight": torch.zeros(2, 2)}, installed / "models/face_embedding/other.safetensors")
    standalone.start(installed)
    with pytest.raises(ValueError, match=r"Not a checkpoint of flip: it holds 1 tensors, the first are fc\.weight"):
        nodes["LikenessLoadTextMatcher"].execute("other.safetensors")


def test_images_of_other_faces_are_refused(nodes, matcher):
    image, faces = found(nodes, 2, BOX)
    with pytest.raises(ValueError, match="Expected the 2 images of 512 x 512 that the faces were found in, got 1"):
        run(nodes, "MatchTexts", matcher, image[:1], faces, TEXTS)
