"""Tables: their types, their files, and what is wrong with them."""

import json
import math

import numpy as np
import pytest

from likeness.audit.table import Table, from_records, read_table, write_table

TABLE = Table.of(
    ["who", "age", "score", "seen"],
    [("007", 31, 0.5, True), ("Zoë | B", 40, None, False), (None, 5, 1.25, True)],
)


def same(a: Table, b: Table) -> bool:
    return a.names == b.names and list(a.rows()) == list(b.rows()) and all(a.kind(n) == b.kind(n) for n in a.names)


def test_a_column_has_the_narrowest_type_that_holds_its_cells():
    assert [TABLE.kind(name) for name in TABLE.names] == ["text", "whole number", "number", "yes or no"]
    assert math.isnan(TABLE["score"][1])
    assert list(TABLE.rows())[1] == ("Zoë | B", 40, None, False)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_table_comes_back_from_its_file_as_it_was(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    assert same(read_table(write_table(TABLE, tmp_path / f"a{suffix}")), TABLE)


def test_parquet_without_pyarrow_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow, or take CSV"):
        write_table(TABLE, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_an_unknown_column_names_those_there_are():
    with pytest.raises(ValueError, match="among who, age, score, seen, got skin: name one of these"):
        TABLE["skin"]


def test_text_is_no_number_and_a_score_is_no_flag():
    with pytest.raises(ValueError, match="Expected numbers in the column who, got '007'"):
        TABLE.numbers("who")
    with pytest.raises(ValueError, match=r"true and false \(or 1 and 0\) in the column age, got 31"):
        TABLE.flags("age")
    assert TABLE.flags("seen").tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "a line of column names, got an empty a.csv"),
        ("a.csv", "x,y\n1,2\n3\n", "2 cells in line 3 of a.csv, got 1"),
        ("a.json", "{", "JSON in a.json, got a damaged file"),
        ("a.json", '{"a": 1}', "a list of objects in a.json"),
        ("a.txt", "x", "a table in .csv, .json, .parquet, got a.txt"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


def test_a_table_of_names_alone_has_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n")
    assert len(read_table(tmp_path / "a.csv")) == 0


def test_words_become_numbers_only_where_all_of_them_are(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,c,d,e\n1,1,true,0012,1e-3\n2,x,False,0013,\n")
    table = read_table(tmp_path / "a.csv")
    assert [table.kind(name) for name in table.names] == ["whole number", "text", "yes or no", "text", "number"]


def test_rows_of_json_may_lack_a_cell():
    table = from_records([{"a": 1, "b": "x"}, {"a": 2}])
    assert list(table.rows()) == [(1, "x"), (2, None)]
    assert json.loads(json.dumps(list(table.rows()))) == [[1, "x"], [2, None]]


def test_two_tables_are_joined_by_a_key_and_what_one_lacks_is_said():
    known = Table.of(["who", "skin"], [("b", 3), ("a", 1), ("d", 6)])
    joined, lost = Table.of(["who", "right"], [("a", True), ("b", False), ("c", True)]).join(known, "who")
    assert list(joined.rows()) == [("a", True, 1), ("b", False, 3)]
    assert lost == ["c", "d"]
    with pytest.raises(ValueError, match="each who once, got a twice"):
        known.join(Table.of(["who", "x"], [("a", 1), ("a", 2)]), "who")


def test_columns_of_two_lengths_are_no_table():
    with pytest.raises(ValueError, match=r"columns of one length under names of their own, got \['a', 'b'\]"):
        Table(("a", "b"), (np.zeros(2), np.zeros(3)))
