"""The report builder: the same findings as Markdown, figure, rows and files."""

import json
import math

import numpy as np
import pytest

from likeness.audit import figure, pillow_figure, pyplot_figure
from likeness.audit.chart import Bar, Bars, Curve, Curves, name_tick, place, ticks
from likeness.audit.report import PREVIEW, Report, Section
from likeness.audit.statistics import Estimate
from likeness.audit.table import Table, read_table

BLUE = np.array(pillow_figure.COLOURS[0])
TABLE = Table.of(["group", "accuracy"], [("a|b", 0.123456), ("c", None)])
BARS = Bars("Accuracy", (Bar("a|b", Estimate(0.5, 0.25, 0.75), "n = 4"), Bar("c", Estimate(math.nan))), "share", 0.4)
CURVE = Curve("all", (0.001, 0.01, 0.1), (0.3, 0.2, 0.1), (0.25, 0.15, 0.05), (0.35, 0.25, 0.15))
FLAT = Curves("all ones", (Curve("a", (1.0, 1.0), (1.0, 1.0)),), "FMR", "FNMR", "probit", "probit")
DET = Curves("DET", (CURVE,), "FMR", "FNMR", "probit", "probit")
REPORT = Report(
    "Slices", (Section("Accuracy", TABLE, BARS, ("c has no rows.",)), Section("DET", TABLE, DET)), ("Said.",)
)


def test_markdown_has_what_is_said_and_every_row():
    assert REPORT.markdown() == (
        "# Slices\n\n- Said.\n\n## Accuracy\n\n| group | accuracy |\n| --- | ---: |\n| a\\|b | 0.1235 |\n| c | - |\n\n"
        "- c has no rows.\n\n## DET\n\n| group | accuracy |\n| --- | ---: |\n| a\\|b | 0.1235 |\n| c | - |\n"
    )


def test_markdown_of_many_rows_says_how_many_are_in_the_file():
    text = Report.of_table(Table.of(["n"], [(i,) for i in range(PREVIEW + 7)])).markdown()
    assert "7 more rows are in the file." in text
    assert len(text.splitlines()) < PREVIEW + 20


def test_a_report_of_no_rows_says_so():
    assert "No rows." in Report.of_table(Table.of(["n"], [])).markdown()


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_the_files_hold_everything(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    files = [file.name for file in REPORT.write(tmp_path / "slices", kind)]
    tables = [] if kind == "json" else [f"slices.{kind}", f"slices_2.{kind}"]
    assert files == [*tables, "slices.md", "slices.json"]
    held = json.loads((tmp_path / "slices.json").read_text())
    assert held["notes"] == ["Said."]
    assert held["sections"][0]["rows"] == [{"group": "a|b", "accuracy": 0.123456}, {"group": "c", "accuracy": None}]
    assert held["sections"][0]["chart"]["bars"][1]["estimate"]["value"] is None
    for name in tables:
        assert list(read_table(tmp_path / name).rows()) == list(TABLE.rows())


@pytest.mark.parametrize("width", [600, 1200])
def test_the_figure_is_an_image(width):
    image = REPORT.figure(width)
    assert image.shape[0] == 1
    assert image.shape[2:] == (width, 3)
    assert 0 <= float(image.min()) < 0.2
    assert float(image.max()) == 1


def test_a_report_without_charts_shows_its_title():
    assert (Report.of_table(TABLE, "Rows").figure() < 0.3).any()


def drawers():
    return [
        pillow_figure,
        pytest.param(
            pyplot_figure, marks=pytest.mark.skipif(not figure.has_matplotlib(), reason="matplotlib is not installed")
        ),
    ]


@pytest.mark.parametrize("drawer", drawers(), ids=lambda drawer: drawer.__name__.rsplit(".", 1)[1])
def test_a_bar_is_as_long_as_its_value(drawer):
    lengths = []
    for value in (0.25, 0.5):
        bars = (Bar("x", Estimate(value)), Bar("y", Estimate(1.0)))
        pixels = drawer.draw([Bars("", bars)], "", 1200).astype(int)
        blue = (abs(pixels - BLUE).sum(-1) < 12).sum(1)
        rows = np.split(blue[blue > 50], np.flatnonzero(np.diff(np.flatnonzero(blue > 50)) > 1) + 1)
        lengths.append(np.median(rows[0]) / np.median(rows[1]))
    np.testing.assert_allclose(lengths, [0.25, 0.5], atol=0.01)


@pytest.mark.parametrize("drawer", drawers(), ids=lambda drawer: drawer.__name__.rsplit(".", 1)[1])
def test_a_curve_of_normal_scores_is_straight_on_probit_axes(drawer):
    from statistics import NormalDist

    share = tuple(float(v) for v in np.linspace(0.05, 0.5, 40))
    errors = tuple(NormalDist().cdf(-2 - NormalDist().inv_cdf(v)) for v in share)
    chart = Curves("", (Curve("", share, errors),), "", "", "probit", "probit")
    pixels = drawer.draw([chart], "", 1200).astype(int)
    y, x = np.nonzero(abs(pixels - BLUE).sum(-1) < 12)
    ends = (x > np.quantile(x, 0.15)) & (x < np.quantile(x, 0.85)) & (y < np.quantile(y, 0.9))
    fit = np.polyfit(x[ends], y[ends], 1)
    assert np.abs(np.polyval(fit, x[ends]) - y[ends]).max() < 4


@pytest.mark.parametrize("drawer", drawers(), ids=lambda drawer: drawer.__name__.rsplit(".", 1)[1])
@pytest.mark.parametrize("chart", [Bars("none", ()), Curves("none", (), "x", "y", "log"), FLAT, BARS, DET])
def test_whatever_there_is_can_be_drawn(drawer, chart):
    assert drawer.draw([chart], "title", 900).shape[1:] == (900, 3)


def test_ticks_are_round_and_on_the_axis():
    assert ticks(0, 1, "linear") == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(1e-4, 1, "log") == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1])
    assert ticks(0.01, 0.5, "probit") == [0.01, 0.05, 0.2, 0.5]
    assert name_tick(0.05, "probit") == "5 %"
    assert place(0.5, "probit") == pytest.approx(0)
