"""The identity nodes on nobody, one and two people, in one frame and several; on folders and files."""

import itertools
import shutil

import numpy as np
import pytest
import torch

import factories
from headless import standalone

every_crowd = pytest.mark.parametrize(("count", "frames"), list(itertools.product((0, 1, 2), (1, 3))))


@pytest.fixture
def run(nodes):
    def execute(node: str, *given, **more):
        with torch.inference_mode():
            return nodes[f"Likeness{node}"].execute(*given, **more).args

    return execute


@pytest.fixture
def loaded(run, base):
    standalone.start(base)
    return [
        run(f"LoadFace{what}", model)[0]
        for what, model in (("Detector", "yunet/2023mar"), ("Embedder", "dlib_resnet/v1"))
    ]


@pytest.fixture
def crowd(run, loaded, count, frames):
    """Images, their faces, who they are, and the identity of the astronaut."""

    def look(image):
        faces = run("DetectFaces", loaded[0], image, 0.7)[0]
        return faces, run("EmbedFaces", loaded[1], image, faces)[0]

    image = factories.people(count)[:, ::2, ::2].repeat(frames, 1, 1, 1)
    return image, *look(image), look(factories.read_photo("astronaut"))[1]


@every_crowd
def test_people_are_grouped_fused_found_and_ranked(crowd, run, pack, count, frames):
    image, _, known, astronaut = crowd
    nobody = pack.likeness.types.NoFaceError
    if not count:
        for call in (
            lambda: run("ClusterFaces", known),
            lambda: run("FuseIdentity", known, "all"),
            lambda: run("FindIdentity", known, astronaut, 1),
            lambda: run("FindIdentity", astronaut, known, 1),
            lambda: run("RankByIdentity", image, known, astronaut, 1),
            lambda: run("ThresholdFromStrangers", known, 0.1),
            lambda: run("JudgeIdentity", known, astronaut, astronaut, circular=True),
        ):
            with pytest.raises(nobody, match=r"Expected .*, got (none|no face|an empty one)"):
                call()
        return
    people, table, number, tracked, embeddings = run("ClusterFaces", known)
    assert (number, len(people), len(table), len(embeddings)) == (count, count, count * frames, count)
    assert sorted(set(tracked.track.tolist())) == list(range(count))
    fused, rows, rejected = run("FuseIdentity", known, "track", tracked, image)
    assert (len(fused), len(rows), rejected) == (count, count * frames, 0)
    assert len(run("FuseIdentity", known, "image")[0]) == frames
    _, distance, found, nearest = run("FindIdentity", astronaut, people, 2)
    assert distance < 0.6
    assert (len(found), len(nearest)) == (count, 1)
    sorted_images, best, order = run("RankByIdentity", image, known, astronaut, 2)
    assert len(sorted_images) == min(2, frames)
    assert best == pytest.approx(distance, abs=0.05)
    assert len(order) == frames
    _, accepted, independent, report = run("JudgeIdentity", known, astronaut, astronaut, circular=True)
    assert (accepted, independent) == (1, False)
    assert len(report.table) == frames


def test_two_strangers_set_a_threshold_and_one_person_sets_none(run, loaded):
    image = factories.people(2)
    faces = run("DetectFaces", loaded[0], image, 0.7)[0]
    known = run("EmbedFaces", loaded[1], image, faces)[0]
    value, about = run("ThresholdFromStrangers", known, 0.1)
    assert value > 0.6
    assert "1 pairs of 2 different people" in about
    with pytest.raises(ValueError, match="faces of two people or more"):
        run("ThresholdFromStrangers", known.select(torch.tensor([0])), 0.1)
    (tracked,) = run("ClusterFaces", known)[3:4]
    assert run("ThresholdFromStrangers", known, 0.1, tracked)[0] == value


def test_groups_need_faces_that_have_them(run, loaded):
    image = factories.people(1)
    faces = run("DetectFaces", loaded[0], image, 0.7)[0]
    known = run("EmbedFaces", loaded[1], image, faces)[0]
    with pytest.raises(ValueError, match="faces with their track, got none: connect Track Faces"):
        run("FuseIdentity", known, "track")
    with pytest.raises(ValueError, match="faces with their image, got none"):
        run("FuseIdentity", run("FuseIdentity", known, "all")[0], "image")


def people(pack, *rows, space="arcface-1"):
    return pack.likeness.types.Embeddings(None, space, torch.tensor(rows).float())


def test_identities_are_mixed_turned_and_moved_along(run, pack):
    a, b = people(pack, (2, 0)), people(pack, (0, 2))
    assert run("MixIdentities", a, b)[0].embedding.tolist() == [pytest.approx([2**0.5, 2**0.5])]
    assert run("MixIdentities", a, b, c=a, weights="0, 1, 0")[0].embedding.tolist() == [pytest.approx([0, 2])]
    assert len(run("InterpolateIdentities", a, b, 5)[0]) == 5
    assert len(run("PerturbIdentity", a, 10.0, 3, 0)[0]) == 3
    with pytest.raises(ValueError, match="numbers with commas between, such as 2, 1, got 'two'"):
        run("MixIdentities", a, b, weights="two")
    for node, more in (("MixIdentities", ()), ("InterpolateIdentities", (2,))):
        with pytest.raises(ValueError, match="of one space, got arcface-1 and facenet-1: use one model"):
            run(node, a, people(pack, (0, 2), space="facenet-1"), *more)
        with pytest.raises(pack.likeness.types.NoFaceError):
            run(
                node,
                a.select(torch.tensor([], dtype=torch.int64)),
                a.select(torch.tensor([], dtype=torch.int64)),
                *more,
            )


def test_the_judge_is_another_encoder(run, loaded, pack):
    image = factories.people(1)
    known = run("EmbedFaces", loaded[1], image, run("DetectFaces", loaded[0], image, 0.7)[0])[0]
    with pytest.raises(ValueError, match=r"another space than the generator's, got dlib_resnet-\w+ on both sides"):
        run("JudgeIdentity", known, known, known)
    score, accepted, independent, _ = run("JudgeIdentity", known, known, people(pack, (1, 0)))
    assert (round(score, 3), accepted, independent) == (0, 1, True)


def test_a_folder_becomes_a_file_and_comes_back(run, loaded, nodes, base):
    album = base / "input/album"
    album.mkdir()
    for name, path in factories.PHOTOS.items():
        shutil.copy(path, album / f"{name}{path.suffix}")
    (album / "broken.png").write_bytes(b"")
    gallery, bad, count = run("EmbedFolder", *loaded, "album")
    assert (count, bad["photo"].tolist()) == (2, ["broken.png"])
    assert run("EmbedFolder", *loaded, "album", pattern="grace*")[2] == 1
    file, about = run("SaveIdentity", gallery, "identities/album", note="mine")
    assert file == "identities/album_00001_.safetensors [output]"
    assert "weights: dlib_resnet/v1; licence: CC0" in about
    back, named, said = run("LoadIdentity", file)
    assert torch.equal(back.embedding, gallery.identities.embedding)
    assert named.names == ("astronaut.png", "grace_hopper.jpg")
    assert (back.metric, back.threshold) == ("l2", 0.6)
    assert said == about
    assert run("LoadIdentity", file, loaded[1])[0].space == back.space
    named = run("SaveIdentity", back, "b", names="Ann\nGrace")[0]
    assert run("FindIdentity", back.select(torch.tensor([1])), run("LoadIdentity", named)[1], 1)[0] == "Grace"
    with pytest.raises(ValueError, match="a name for each of 2 identities, got 1"):
        run("SaveIdentity", back, "b", names="Ann")
    assert nodes["LikenessEmbedFolder"].fingerprint_inputs("album") != nodes["LikenessEmbedFolder"].fingerprint_inputs(
        ""
    )


def test_an_array_takes_the_space_of_its_embedder(run, loaded, base, nodes):
    np.save(base / "input/me.npy", np.ones(128, dtype=np.float32))
    np.save(base / "input/other.npy", np.ones(5, dtype=np.float32))
    found, *_ = run("LoadIdentity", "me.npy", loaded[1])
    assert (found.space[:11], found.metric, found.threshold) == ("dlib_resnet", "l2", 0.6)
    assert found.weights.startswith("dlib_resnet/v1; licence: CC0")
    assert run("LoadIdentity", "me.npy")[0].space == "unstated (me.npy)"
    with pytest.raises(ValueError, match=r"vectors of 128 numbers, as dlib_resnet.* has them, got 5 in other.npy"):
        run("LoadIdentity", "other.npy", loaded[1])
    load = nodes["LikenessLoadIdentity"]
    assert load.validate_inputs("me.npy") is True
    assert "Expected nobody.npy in ComfyUI's input folder, got none" in load.validate_inputs("nobody.npy")
    assert load.validate_inputs(None) is True
    assert load.fingerprint_inputs(None) == 0
