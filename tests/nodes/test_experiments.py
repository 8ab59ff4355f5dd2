"""Design Experiment, Pair Faces and Bias Report."""

import pytest
import torch

import factories
from headless import standalone


@pytest.fixture
def nodes(base):
    """The nodes on a base of their own."""
    return standalone.start(base).nodes


@pytest.fixture
def identify(nodes, base):
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args

    def run(image):
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
        return nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]

    return run


def test_prompts_and_seeds_are_lists_that_run_in_step(nodes):
    node = nodes["LikenessDesignExperiment"]
    prompts, seeds, table, count = node.execute("a {age} {race} face", "race: x, y", "age: young, old", 3, 10).args
    assert len(prompts) == len(seeds) == len(table) == count == 2 * 3 * 2
    assert prompts[:2] == ["a young x face", "a old x face"]
    assert seeds == [10, 10, 11, 11, 12, 12] * 2
    assert [output.is_output_list for output in node.GET_SCHEMA().outputs] == [True, True, False, False]


def test_the_defaults_are_a_design(nodes):
    schema = nodes["LikenessDesignExperiment"].GET_SCHEMA()
    given = {socket.id: socket.options["default"] for socket in schema.inputs}
    assert nodes["LikenessDesignExperiment"].execute(**given).args[3] == 6 * 10 * 5


def test_the_pictures_of_a_design_become_pairs_and_a_report(nodes, identify):
    """Two people twice each, as a generator would give two seeds at two levels, and a picture that failed."""
    one, two = factories.people(2)[:, :, :400], factories.people(2)[:, :, 400:]
    image = torch.cat([one, one * 0.8, two, torch.full_like(two, 0.5)])
    (_, _, table, count) = nodes["LikenessDesignExperiment"].execute("{light}", "", "light: day, dim", 2).args
    assert count == len(image)
    pairs, lost = nodes["LikenessPairFaces"].execute(identify(image), table).args
    assert "1 of 4 images show no face, and their pairs are missing: rows 3." in lost
    assert pairs["same"].tolist() == [True, False, False]
    assert pairs["score"][0] > pairs["score"][1:].max()
    report, rows, threshold = nodes["LikenessBiasReport"].execute(pairs, 0.5, bootstrap=20).args
    assert rows["group"].tolist() == ["all", "all"][: len(rows)]
    assert "Synthetic, no human annotation" in report.markdown()
    assert 0.8 < threshold < 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_images_without_a_face_leave_no_pairs(nodes, identify, count):
    image = factories.people(count)
    table = nodes["LikenessDesignExperiment"].execute("a face", "", "", 1).args[2]
    pairs, lost = nodes["LikenessPairFaces"].execute(identify(image), table).args
    assert len(pairs) == 0
    assert bool(lost) == (count != 1)
    with pytest.raises(ValueError, match="got no pair of"):
        nodes["LikenessBiasReport"].execute(pairs, 0.1)


def test_the_shipped_pairs_have_a_report_and_judgements_take_their_place(nodes, base):
    pairs = nodes["LikenessLoadTable"].execute("likeness_pairs.csv").args[0]
    report, rows, _ = nodes["LikenessBiasReport"].execute(pairs, 0.01, bootstrap=50, small=5).args
    assert rows["group"].tolist() == ["all", "group A", "group B"]
    assert [section.title for section in report.sections] == ["Groups", "Gaps", "Trade-off", "Slopes"]
    assert report.figure().shape[1] > 1500
    judged = "a,b,same\n" + "".join(f"{n},{n + 1},{n % 2}\n" for n in range(20))
    (base / "input/judged.csv").write_text(judged)
    numbered = pairs.with_column("a", list(range(len(pairs)))).with_column("b", list(range(1, len(pairs) + 1)))
    people = nodes["LikenessLoadTable"].execute("judged.csv").args[0]
    report = nodes["LikenessBiasReport"].execute(numbered, 0.1, people, bootstrap=0).args[0]
    assert "Synthetic" not in report.markdown()
    assert f"{len(pairs) - 20} pairs were not judged" in report.notes[-1]
