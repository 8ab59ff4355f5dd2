"""Load Table, Table Column and Save Report."""

import json

import pytest
import torch
from PIL import Image

from headless import standalone


@pytest.fixture
def nodes(base):
    """The nodes on a base of their own."""
    return standalone.start(base).nodes


@pytest.fixture
def table(nodes, base):
    (base / "input/a.csv").write_text("who,age\nann,31\nbo,40\n")
    return nodes["LikenessLoadTable"].execute("a.csv").args[0]


def test_a_table_says_what_it_holds(nodes, base, table):
    _, columns, count = nodes["LikenessLoadTable"].execute("a.csv").args
    assert (columns, count, len(table)) == ("who: text\nage: whole number", 2, 2)


def test_the_shipped_tables_are_in_the_input_folder(nodes, base):
    for name, rows in (("slices", 240), ("pairs", 992), ("photo_pairs", 3)):
        assert nodes["LikenessLoadTable"].execute(f"likeness_{name}.csv").args[2] == rows


def test_a_table_that_is_not_there_or_outside_is_refused_before_the_run(nodes, base):
    validate = nodes["LikenessLoadTable"].validate_inputs
    assert "Expected b.csv in ComfyUI's input folder, got none: put it in" in validate("b.csv")
    assert "../secret.csv" in validate("../secret.csv")
    assert validate(None) is True  # connected


def test_a_column_is_a_list_of_its_own_type(nodes, table):
    assert nodes["LikenessTableColumn"].execute(table, "who").args == (["ann", "bo"],)
    ages = nodes["LikenessTableColumn"].execute(table, "age").args[0]
    assert ages == [31, 40]
    assert all(type(age) is int for age in ages)
    (output,) = nodes["LikenessTableColumn"].GET_SCHEMA().outputs
    assert output.is_output_list
    with pytest.raises(ValueError, match="a column among who, age, got skin"):
        nodes["LikenessTableColumn"].execute(table, "skin")


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "none"])
def test_a_report_is_shown_and_saved(nodes, base, table, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    result = nodes["LikenessSaveReport"].execute(table, "reports/mine", kind, 800)
    figure, markdown, rows = result.args
    assert figure.shape[-2:] == (800, 3)
    assert "| ann | 31 |" in markdown
    assert rows is table
    assert result.ui["text"] == (markdown,)
    expected = {"csv": {".csv", ".md", ".json"}, "json": {".md", ".json"}, "none": set()}
    files = [base / "output" / file["subfolder"] / file["filename"] for file in result.ui["files"]]
    assert {file.suffix for file in files} == expected.get(kind, {".parquet", ".md", ".json"})
    assert all(file.is_file() for file in files)
    (image,) = result.ui["images"]
    assert image["type"] == ("temp" if kind == "none" else "output")
    assert Image.open(base / image["type"] / image["subfolder"] / image["filename"]).size == (800, figure.shape[1])


def test_a_second_report_overwrites_nothing(nodes, base, table):
    for _ in range(2):
        nodes["LikenessSaveReport"].execute(table, "reports/mine", "csv")
    assert len(list((base / "output/reports").glob("*.csv"))) == 2


def test_a_headless_run_delivers_the_files(base, tmp_path):
    from headless import outputs

    (base / "input/a.csv").write_text("who,age\nann,31\n")
    session = standalone.start(base)
    prompt = {
        "1": {"class_type": "LikenessLoadTable", "inputs": {"file": "a.csv"}},
        "2": {
            "class_type": "LikenessSaveReport",
            "inputs": {"report": ["1", 0], "filename_prefix": "reports/mine", "format": "csv"},
        },
    }
    with outputs.stage(tmp_path / "delivered") as stage:
        with stage:
            shown = session.run(prompt)
        records = stage.deliver(prompt, shown, session.info)
    assert [record["kind"] for record in records] == ["image", "file", "file", "file", "text"]
    delivered = {path.name for path in (tmp_path / "delivered/reports").iterdir()}
    assert delivered == {f"mine_00001_.{suffix}" for suffix in ("png", "csv", "md", "json")}
    assert json.loads((tmp_path / "delivered/reports/mine_00001_.json").read_text())["sections"][0]["rows"]


def test_the_figure_is_what_comfyui_passes_on(nodes, base, table):
    figure = nodes["LikenessSaveReport"].execute(table, "a", "none").args[0]
    assert figure.dtype == torch.float32
    assert 0 <= float(figure.min()) <= float(figure.max()) <= 1
