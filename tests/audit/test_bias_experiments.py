"""Designs and bias reports: complete, seeded, exact on scores whose answers are known."""

import itertools
import math

import numpy as np
import pytest
import torch

from likeness.audit.bias_experiments import SYNTHETIC, Sampling, report
from likeness.audit.design import design, parse_factors
from likeness.audit.pairs import annotate, make_pairs, match_faces
from likeness.audit.table import Table
from likeness.types import Embeddings, Faces

GROUPS = parse_factors("ethnicity: Asian, Black\ngender: woman, man")
FACTORS = parse_factors("age: 30, 50, 70\nlight: soft, hard")
PROMPT = "a {age} year old {ethnicity} {gender}, {light} light"
QUICK = Sampling(times=0, least=2)


def test_a_design_changes_one_thing_at_a_time_with_shared_seeds():
    table = design(PROMPT, GROUPS, FACTORS, [7, 9])
    assert len(table) == 4 * 2 * (1 + 2 + 1)
    assert len(set(table["prompt"].tolist())) == 4 * 4
    assert table["prompt"][0] == "a 30 year old Asian woman, soft light"
    for identity in set(table["identity"].tolist()):
        mine = table.select(table["identity"] == identity)
        assert len(set(mine["seed"].tolist())) == 1
        for row in range(len(mine)):
            changed = [name for name in ("age", "light") if mine[name][row] != mine[name][0]]
            assert changed == ([] if mine["factor"][row] == "base" else [mine["factor"][row]])
    for group in set(table["group"].tolist()):
        assert sorted(set(table.select(table["group"] == group)["seed"].tolist())) == [7, 9]
    assert table.kind("age") == "whole number"  # for what takes a number: strengths, directions
    assert table["step"].tolist()[:4] == [0, 1, 2, 1]


def test_a_design_without_groups_or_factors_is_one_face_for_each_seed():
    table = design("a face", (), (), range(3))
    assert table["seed"].tolist() == [0, 1, 2]
    assert set(table["group"].tolist()) == {"all"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_factors("age 30, 50"), "a line such as 'age: adult, child, old', got 'age 30, 50' in line 1"),
        (lambda: parse_factors("age: 30, 30"), "levels that differ"),
        (lambda: parse_factors("age: 1\nage: 2"), "each factor once, got age, age"),
        (
            lambda: design("a {mood} face", GROUPS, FACTORS, [1]),
            r"places among ethnicity, .*got \{mood\} in the prompt",
        ),
        (lambda: design("a face", GROUPS, FACTORS, []), r"seeds that differ, got \[\]"),
        (lambda: design("a face", parse_factors("step: 1, 2"), (), [1]), "names of their own other than"),
    ],
)
def test_a_design_that_cannot_be_made_says_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def faces_of(count: int, image_index: list[int], score: list[float]) -> Faces:
    index = torch.tensor(image_index)
    number = torch.tensor([image_index[:i].count(n) for i, n in enumerate(image_index)])
    return Faces((64, 64), count, number, index, torch.rand(len(index), 4), torch.tensor(score))


def test_the_surest_face_of_each_image_counts_and_what_is_lost_is_said():
    table = design("a face", (), (), range(4))
    vectors = torch.arange(8.0).reshape(4, 2) + 1
    found, row, lost = match_faces(Embeddings(faces_of(4, [0, 1, 1, 3], [0.9, 0.5, 0.8, 0.7]), "x", vectors), table)
    assert row.tolist() == [0, 1, 3]
    assert found.tolist() == vectors[[0, 2, 3]].tolist()
    assert "1 of 4 images show no face" in lost[0]
    assert "rows 2" in lost[0]
    assert "1 more faces were left out" in lost[1]
    with pytest.raises(ValueError, match="the faces of 4 images, one for each row of the design, got 3"):
        match_faces(Embeddings(faces_of(3, [0], [1.0]), "x", vectors[:1]), table)


def test_pairs_are_all_within_a_group_and_know_their_step():
    table = design("{ethnicity} {age} {light}", GROUPS[:1], FACTORS, [1, 2])
    vectors = torch.randn(len(table), 6, generator=torch.Generator().manual_seed(0))
    pairs = make_pairs(vectors, np.arange(len(table)), table)
    assert len(pairs) == 2 * math.comb(8, 2)
    unit = torch.nn.functional.normalize(vectors.double(), dim=1)
    for a, b, score in zip(pairs["a"].tolist(), pairs["b"].tolist(), pairs["score"].tolist(), strict=True):
        assert score == pytest.approx(float(unit[a] @ unit[b]), abs=1e-12)
    assert pairs["same"].sum() == 2 * 2 * math.comb(4, 2)
    steps = sorted((f, s) for f, s in zip(pairs["factor"], pairs["step"].tolist(), strict=True) if f is not None)
    assert steps == sorted([("age", 1.0), ("age", 2.0), ("light", 1.0)] * 4)
    with pytest.raises(ValueError, match=r"zero or NaN for the rows \[3\]"):
        make_pairs(vectors.index_fill(0, torch.tensor(3), 0), np.arange(len(table)), table)


SCORES = {
    "A": ((0.1, 0.2, 0.3, 0.35), (0.9, 0.8, 0.34, 0.7)),
    "B": ((0.5, 0.6, 0.3, 0.2), (0.55, 0.9, 0.95, 0.8)),
}


def known_pairs() -> Table:
    """Two groups of two people each; impostor and genuine pairs whose rates are worked out by hand."""
    rows = []
    for group, (impostors, genuine) in SCORES.items():
        people = (f"{group}1", f"{group}2")
        rows += [(*people, group, False, score) for score in impostors]
        rows += [(people[n % 2], people[n % 2], group, True, score) for n, score in enumerate(genuine)]
    return Table.of(["identity_a", "identity_b", "group", "same", "score"], rows)


def test_rates_are_what_the_hand_says_at_one_threshold():
    found = report(known_pairs(), fmr=0.25, sampling=QUICK)
    assert "a similarity over 0.35 matches" in found.notes[0]  # of eight impostors two lie over it
    rows = {row[0]: row for row in found.table.rows()}
    fmr, fnmr = (found.table.names.index(name) for name in ("FMR", "FNMR"))
    assert (rows["all"][fmr], rows["A"][fmr], rows["B"][fmr]) == (0.25, 0.0, 0.5)
    assert (rows["all"][fnmr], rows["A"][fnmr], rows["B"][fnmr]) == (0.125, 0.25, 0.0)
    assert rows["A"][1:4] == (2, 4, 4)
    a, b = np.array([0.9, 0.8, 0.34, 0.7]), np.array([0.1, 0.2, 0.3, 0.35])
    separation = (a.mean() - b.mean()) / math.sqrt((a.var() + b.var()) / 2)
    assert rows["A"][found.table.names.index("d'")] == pytest.approx(separation, abs=1e-12)
    gaps = {row[0]: row[1:] for row in found.sections[1].table.rows()}
    assert gaps["FMR"] == ("A", "B", 0.5, None)
    assert gaps["FNMR"] == ("B", "A", 0.25, None)


def test_it_says_that_nobody_annotated_it_unless_somebody_did():
    assert SYNTHETIC in report(known_pairs(), 0.25, QUICK).notes
    assert SYNTHETIC not in report(known_pairs(), 0.25, QUICK, annotated=True).notes


def test_small_groups_are_flagged_and_stay():
    found = report(known_pairs(), 0.25, Sampling(times=0, least=3))
    assert found.table["small"].tolist() == [False, True, True]
    assert [row[1] for row in found.sections[1].table.rows()] == [None] * 3


def normal_pairs(people: int = 24, shots: int = 4, seed: int = 0) -> Table:
    """Scores of one group with an effect of each person on all his pairs."""
    generator = np.random.default_rng(seed)
    vectors = np.repeat(generator.normal(size=(people, 16)), shots, 0)
    vectors += generator.normal(size=vectors.shape) * np.repeat(generator.uniform(0.3, 2.5, people), shots)[:, None]
    rows = [(i, f"p{i // shots}", i // shots, "all", "base", 0, 0) for i in range(people * shots)]
    table = Table.of(["row", "identity", "seed", "group", "factor", "level", "step"], rows)
    return make_pairs(torch.from_numpy(vectors), np.arange(len(table)), table)


def test_drawing_people_gives_wider_intervals_than_drawing_pairs():
    pairs = normal_pairs()
    by_people, by_pair = (report(pairs, 0.01, Sampling(300, 1, by)) for by in (False, True))

    def width(found):
        return float(found.table["FNMR high"][0] - found.table["FNMR low"][0])

    assert width(by_people) > 1.5 * width(by_pair)
    assert "identities, on both sides" in by_people.markdown()
    assert "pairs, as if they shared nobody: too narrow" in by_pair.markdown()
    assert by_people.markdown() == report(pairs, 0.01, Sampling(300, 1)).markdown()


def test_weights_of_people_give_what_copies_of_their_faces_give():
    """A sample by identity is the pairs of a set in which each person is as often as drawn."""
    from likeness.audit.bias_experiments import Cells

    generator = np.random.default_rng(2)
    people, scores = np.array(list(itertools.combinations(range(5), 2))), generator.normal(size=10)
    cells = Cells.of(people, scores, scores > 0)
    drawn = np.array([2.0, 0, 1, 1, 1])
    copies = [p for p in range(5) for _ in range(int(drawn[p]))]
    index = {tuple(pair): n for n, pair in enumerate(people.tolist())}
    wrong = [scores[index[min(a, b), max(a, b)]] > 0 for a, b in itertools.combinations(copies, 2) if a != b]
    assert cells.rate(cells.weigh(drawn)) == pytest.approx(np.mean(wrong), abs=1e-12)


def test_the_slope_is_the_distance_for_each_step():
    rows = []
    for person in range(12):
        for step in (1, 2, 3):
            rows.append((f"p{person}", f"p{person}", "A" if person % 2 else "B", True, 1 - 0.1 * step, "age", step))
        rows.append((f"p{person}", f"p{(person + 2) % 12}", "A" if person % 2 else "B", False, 0.0, None, None))
    names = ["identity_a", "identity_b", "group", "same", "score", "factor", "step"]
    found = report(Table.of(names, rows), 0.1, Sampling(50, 0, least=2))
    slopes = next(section for section in found.sections if section.title == "Slopes")
    for row in slopes.table.rows():
        assert row[3:] == (pytest.approx(0.1),) * 3
    assert [row[:3] for row in slopes.table.rows()] == [("age", "all", 12), ("age", "B", 6), ("age", "A", 6)]
    assert slopes.chart.curves[0].y == pytest.approx((0, 0.1, 0.2, 0.3))


def test_what_people_judged_takes_the_place_of_the_design():
    pairs = Table.of(["a", "b", "same", "score"], [(0, 1, True, 0.5), (0, 2, False, 0.4), (1, 2, False, 0.3)])
    found, unjudged = annotate(pairs, Table.of(["a", "b", "same"], [(1, 0, False), (2, 1, True)]))
    assert found["same"].tolist() == [False, True]
    assert unjudged == 1


@pytest.mark.parametrize("same", [True, False])
def test_one_class_only_is_refused(same):
    pairs = known_pairs()
    with pytest.raises(ValueError, match=r"pairs of one person and of two, got no pair of (one person|two people)"):
        report(pairs.select(pairs["same"] == same), 0.1, QUICK)


def test_a_rate_below_what_the_pairs_can_show_is_said():
    assert "cannot show an FMR of 0.001" in report(known_pairs(), 0.001, QUICK).markdown()


def test_a_table_without_identities_names_its_columns():
    with pytest.raises(ValueError, match="a column among score, same, got identity_a"):
        report(Table.of(["score", "same"], [(0.1, True), (0.2, False)]), 0.1, QUICK)
