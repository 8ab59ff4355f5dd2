"""The one report of all audits: sections of a table, a chart and sentences, as Markdown, figure, rows and files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .chart import Chart
from .figure import draw
from .table import Cell, Table, records, write_table

PREVIEW = 200  # rows of a section that Markdown shows; files hold all
FORMATS = ("csv", "json", "parquet")


@dataclass(frozen=True)
class Section:
    """One table of a report, what it looks like, and what must be said about it."""

    title: str
    table: Table
    chart: Chart | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What an audit found."""

    title: str
    sections: tuple[Section, ...]  # the first holds the answer
    notes: tuple[str, ...] = ()  # sentences that go before all tables: what was measured, on what, and its limits

    @classmethod
    def of_table(cls, table: Table, title: str = "Table") -> Report:
        """A report that only shows a table."""
        return cls(title, (Section(title, table),))

    @property
    def table(self) -> Table:
        """The rows of the first section."""
        return self.sections[0].table

    def with_notes(self, *notes: str) -> Report:
        """The report with more to be said."""
        return replace(self, notes=(*self.notes, *notes))

    def with_table(self, title: str, table: Table) -> Report:
        """The report with a table at its end."""
        return replace(self, sections=(*self.sections, Section(title, table)))

    def markdown(self) -> str:
        """All that is said and all tables, each up to 200 rows."""
        lines = [f"# {self.title}", ""]
        lines += [f"- {note}" for note in self.notes] + [""] * bool(self.notes)
        for section in self.sections:
            lines += [f"## {section.title}", "", *_rows(section.table), ""]
            lines += [f"- {note}" for note in section.notes] + [""] * bool(section.notes)
        return "\n".join(lines).rstrip() + "\n"

    def figure(self, width: int = 1200) -> Tensor:
        """(1, H, W, 3) in [0, 1], the charts below each other; the title alone where there is none.

        Args:
            width: Pixels.
        """
        charts = [section.chart for section in self.sections if section.chart is not None]
        pixels = draw(charts, self.title, width)
        return torch.from_numpy(pixels.copy()).float()[None] / 255

    def to_json(self) -> str:
        """Everything: notes, rows, and the numbers behind each chart."""
        sections = [
            {
                "title": section.title,
                "notes": section.notes,
                "rows": records(section.table),
                "chart": None
                if section.chart is None
                else {"kind": type(section.chart).__name__.lower()} | asdict(section.chart),
            }
            for section in self.sections
        ]
        content = {"title": self.title, "notes": self.notes, "sections": sections}
        return json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False)

    def write(self, path: Path, kind: str = "csv") -> list[Path]:
        """Write the report's files: what is said as .md, everything as .json, and each section's rows.

        Args:
            path: Without a suffix.
            kind: "csv" or "parquet" for the rows; with "json" they are in the .json only.

        Raises:
            ImportError: Parquet is asked for and pyarrow is not installed; nothing is written.
        """
        if kind not in FORMATS:
            raise ValueError(f"Expected a format among {', '.join(FORMATS)}, got {kind}.")
        tables = [] if kind == "json" else list(self._files(path, kind))
        written = [write_table(table, file) for table, file in tables]
        for suffix, text in ((".md", self.markdown()), (".json", self.to_json() + "\n")):
            file = path.with_name(path.name + suffix)
            file.write_text(text, encoding="utf-8")
            written.append(file)
        return written

    def _files(self, path: Path, kind: str) -> Iterator[tuple[Table, Path]]:
        for number, section in enumerate(self.sections):
            more = f"_{number + 1}" if number else ""
            yield section.table, path.with_name(f"{path.name}{more}.{kind}")


def show(cell: Cell) -> str:
    """A cell as people read it: four digits that count, a dash where it is missing."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 1e4 else f"{cell:.0f}"
    return str(cell)


def _rows(table: Table) -> list[str]:
    """A table in Markdown; numbers to the right."""
    ends = ["---" if table.kind(name) in ("text", "yes or no") else "---:" for name in table.names]
    lines = [_line(table.names), _line(ends)]
    for number, row in enumerate(table.rows()):
        if number == PREVIEW:
            return [*lines, "", f"{len(table) - PREVIEW} more rows are in the file."]
        lines.append(_line([_escape(show(cell)) for cell in row]))
    return lines if len(table) else [*lines, "", "No rows."]


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _finite(value: Any) -> Any:
    """The value with null for what JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return value
