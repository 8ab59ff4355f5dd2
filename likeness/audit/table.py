"""Rows of what is known about people, photos and pairs of them: typed columns of one length, and their files."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Cell = str | int | float | bool | None
Column: TypeAlias = NDArray[Any]
Numbers: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
SUFFIXES = (".csv", ".json", ".parquet")
WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")  # "007" is a name
WORDS = {"true": True, "false": False}
MISSING = ("", "nan", "null", "none", "n/a", "na")
KINDS = {"b": "yes or no", "i": "whole number", "f": "number", "O": "text"}
SHOWN = 12  # columns that an error names


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length. Nothing is inferred about a person: a column is what its file or its maker says."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]  # bool, int64, float64 (missing: NaN) or object of str (missing: None)

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns}
        if len(self.names) != len(self.columns) or len(set(self.names)) < len(self.names) or len(lengths) > 1:
            raise ValueError(
                f"Expected columns of one length under names of their own, got {list(self.names)} of "
                f"{[len(column) for column in self.columns]} rows."
            )

    @classmethod
    def of(cls, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
        """A table of rows; each column takes the narrowest type that holds all its cells."""
        held = [tuple(row) for row in rows]
        return cls(tuple(names), tuple(_column([row[i] for row in held]) for i in range(len(names))))

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def __getitem__(self, name: str) -> Column:
        """A column as it is.

        Raises:
            ValueError: There is none of this name; says which there are.
        """
        if name not in self.names:
            more = ", ..." if len(self.names) > SHOWN else ""
            raise ValueError(
                f"Expected a column among {', '.join(self.names[:SHOWN])}{more}, got {name or 'nothing'}: name one of "
                "these, or look at the table's file."
            )
        return self.columns[self.names.index(name)]

    def kind(self, name: str) -> str:
        """What a column holds: "text", "number", "whole number" or "yes or no"."""
        return KINDS[self[name].dtype.kind]

    def numbers(self, name: str) -> Numbers:
        """(rows,) a column as float64, NaN where it is missing.

        Raises:
            ValueError: It is text.
        """
        if self.kind(name) == "text":
            first = next((cell for cell in self[name] if cell is not None), None)
            if first is not None:
                raise ValueError(f"Expected numbers in the column {name}, got {first!r}: name another column.")
            return np.full(len(self), np.nan)
        return self[name].astype(np.float64)

    def texts(self, name: str) -> list[str | None]:
        """A column as words, for groups and keys; a whole number is written as one."""
        return [None if is_missing(cell) else _word(cell) for cell in self[name].tolist()]

    def flags(self, name: str) -> Flags:
        """(rows,) a column of yes and no: true and false, or 1 and 0.

        Raises:
            ValueError: It holds anything else, or a row is missing.
        """
        values = self.numbers(name)
        if not np.isin(values, (0, 1)).all():
            odd = self[name][~np.isin(values, (0, 1))].tolist()[0]
            raise ValueError(f"Expected true and false (or 1 and 0) in the column {name}, got {odd!r}: mend the table.")
        return values == 1

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """The rows; what is missing is None."""
        lists = [column.tolist() for column in self.columns]
        for row in zip(*lists, strict=True):
            yield tuple(None if is_missing(cell) else cell for cell in row)

    def select(self, rows: NDArray[Any]) -> Table:
        """Keep some rows, by index or by mask."""
        return Table(self.names, tuple(column[rows] for column in self.columns))

    def with_column(self, name: str, cells: Column | Sequence[Cell]) -> Table:
        """The table with a column more, or another under its name."""
        column = cells if isinstance(cells, np.ndarray) else _column(list(cells))
        kept = [(n, c) for n, c in zip(self.names, self.columns, strict=True) if n != name]
        return Table((*(n for n, _ in kept), name), (*(c for _, c in kept), column))

    def join(self, other: Table, key: str) -> tuple[Table, list[str]]:
        """The rows of this table with the other's columns, where both know the key; and the keys that one lacks.

        Raises:
            ValueError: The other table has a key twice, or both have a column besides the key.
        """
        theirs = other.texts(key)
        found = {name: row for row, name in enumerate(theirs)}
        if len(found) < len(theirs):
            twice = next(name for row, name in enumerate(theirs) if found[name] != row)
            raise ValueError(f"Expected each {key} once, got {twice} twice: one row each, please.")
        if both := set(self.names) & set(other.names) - {key}:
            raise ValueError(f"Expected tables that share only {key}, got {min(both)} in both: drop one.")
        mine = self.texts(key)
        pairs = [(row, found[name]) for row, name in enumerate(mine) if name in found]
        index = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        joined = self.select(index[:, 0])
        for name in other.names:
            if name != key:
                joined = joined.with_column(name, other[name][index[:, 1]])
        return joined, sorted({str(name) for name in {*mine} ^ {*theirs}})


def _word(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def read_table(path: Path) -> Table:
    """A .csv, .json or .parquet file as a table.

    Raises:
        ValueError: It is none of these, damaged or without rows; says what to do.
        ImportError: It is Parquet and pyarrow is not installed.
    """
    readers = {".csv": _read_csv, ".json": _read_json, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"Expected a table in {', '.join(SUFFIXES)}, got {path.name}: save it as one of them.")
    return reader(path)


def write_table(table: Table, path: Path) -> Path:
    """Write a table as its file's suffix says.

    Raises:
        ImportError: It is Parquet and pyarrow is not installed.
    """
    if path.suffix == ".parquet":
        pyarrow = _pyarrow()
        columns = {name: pyarrow.array(column, from_pandas=True) for name, column in _named(table)}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records(table), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table.names)
            writer.writerows(zip(*map(_written, table.columns), strict=True))
    return path


def _written(column: Column) -> list[Cell]:
    """Cells as CSV has them, which reads back as the same column: nothing where one is missing."""
    cells = column.tolist()
    known = [cell for cell in cells if not is_missing(cell)]
    if column.dtype.kind == "f" and len(known) < len(cells) and all(cell.is_integer() for cell in known):
        return ["" if is_missing(cell) else int(cell) for cell in cells]
    return ["" if is_missing(cell) else cell for cell in cells]


def records(table: Table) -> list[dict[str, Cell]]:
    """The rows as JSON has them, by column."""
    return [dict(zip(table.names, row, strict=True)) for row in table.rows()]


def from_records(found: Sequence[Mapping[str, Any]]) -> Table:
    """The table of rows as JSON has them; a row may lack a column."""
    names = list(dict.fromkeys(name for row in found for name in row))
    return Table.of(names, [[_cell(row.get(name)) for name in names] for row in found])


def _named(table: Table) -> Iterator[tuple[str, Column]]:
    return zip(table.names, table.columns, strict=True)


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)


def _column(cells: list[Cell]) -> Column:
    """Cells in the narrowest type that holds all of them."""
    kinds = {type(cell) for cell in cells if not is_missing(cell)}
    missing = any(is_missing(cell) for cell in cells)
    if kinds == {bool} and not missing:
        return np.array(cells, dtype=bool)
    if kinds == {int} and not missing:
        return np.array(cells, dtype=np.int64)
    if (kinds and kinds <= {int, float}) or (missing and kinds == {bool}):
        return np.array([math.nan if is_missing(cell) else float(cell or 0) for cell in cells])
    column = np.empty(len(cells), dtype=object)
    column[:] = [None if is_missing(cell) else str(cell) for cell in cells]
    return column


def parse_words(words: Sequence[str]) -> list[Cell]:
    """The words of a column as what they all are: yes and no, whole numbers, numbers, or text."""
    bare = [word.strip() for word in words]
    known = [word for word in bare if word.lower() not in MISSING]
    kind = next((kind for kind in (_flag, _whole, _number) if known and all(kind(w) is not None for w in known)), str)
    return [None if word.lower() in MISSING else kind(word) for word in bare]


def _flag(word: str) -> bool | None:
    return WORDS.get(word.lower())


def _whole(word: str) -> int | None:
    return int(word) if WHOLE.fullmatch(word) else None


def _number(word: str) -> float | None:
    if re.match(r"[+-]?0\d", word) or "_" in word:  # "007" is a name
        return None
    try:
        return float(word)
    except ValueError:
        return None


def _read_csv(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            lines = [line for line in csv.reader(file) if line]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"Expected a CSV file in UTF-8, got {path.name} ({error}): save it again.") from error
    if not lines:
        raise ValueError(f"Expected a line of column names, got an empty {path.name}: get the file again.")
    names, rows = [name.strip() for name in lines[0]], lines[1:]
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise ValueError(f"Expected {len(names)} cells in line {number} of {path.name}, got {len(row)}: mend it.")
    columns = [parse_words(words) for words in zip(*rows, strict=True)] or [[] for _ in names]
    return Table(tuple(names), tuple(map(_column, columns)))


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path.name}, got a damaged file ({error}): get it again.") from error


def _read_json(path: Path) -> Table:
    found = read_json(path)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError(
            f"Expected a list of objects in {path.name}, one per row, got another shape: choose the preset that the "
            "file is of, or save it as rows."
        )
    return from_records(found)


def _read_parquet(path: Path) -> Table:
    pyarrow = _pyarrow()
    try:
        found = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ValueError(f"Expected a Parquet file, got {path.name} ({error}): get it again.") from error
    columns = [[_cell(cell) for cell in column.to_pylist()] for column in found.columns]
    return Table(tuple(found.column_names), tuple(map(_column, columns)))


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Expected pyarrow for .parquet files, got none: pip install pyarrow, or take CSV.") from error
    return pyarrow
