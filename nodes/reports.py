"""Tables and reports: read, taken apart, shown and saved. What judges is in ``audit`` and ``experiments``."""

from pathlib import Path

import folder_paths
import numpy as np
from comfy_api.latest import io
from PIL import Image
from torch import Tensor

from ..likeness.audit import casual_conversations
from ..likeness.audit.report import FORMATS, Report
from . import convert, host


def input_path(name: str) -> Path:
    """A file or folder of ComfyUI's input folder.

    Raises:
        ValueError: The name leads out of it.
        FileNotFoundError: There is none; says where to put it.
    """
    root = Path(folder_paths.get_input_directory())
    path = Path(folder_paths.get_annotated_filepath(name.strip())) if name.strip() else root
    if not path.exists():
        raise FileNotFoundError(f"Expected {name} in ComfyUI's input folder, got none: put it in {root}.")
    return path


def check_input(name: str | None) -> bool | str:
    """Whether a file of the input folder is there, for ``validate_inputs``; a connected one is None."""
    try:
        return name is None or bool(input_path(name))
    except (ValueError, FileNotFoundError) as error:
        return str(error)


def state_of(name: str) -> float:
    """What changes when a file does, for ``fingerprint_inputs``."""
    return input_path(name).stat().st_mtime


class LoadTable(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadTable",
            display_name="Load Table",
            category="likeness/reports",
            description="Reads a table from the input folder: CSV, JSON, Parquet, or those of Casual Conversations.",
            search_aliases=["csv", "json", "parquet", "casual conversations", "annotations", "spreadsheet", "dataset"],
            inputs=[
                io.String.Input(
                    "file",
                    default="likeness_slices.csv",
                    tooltip="A .csv, .json or .parquet in ComfyUI's input folder, sub-folders with /.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(casual_conversations.FORMATS),
                    default="plain",
                    optional=True,
                    advanced=True,
                    tooltip="plain: a row per line or object. The others are the data set's own JSON files: a row per "
                    "video.",
                ),
            ],
            outputs=[
                host.Table.Output("table", tooltip="Its rows, for the report nodes."),
                io.String.Output("columns", tooltip="What its columns are called, a line each, with their types."),
                io.Int.Output("count", tooltip="How many rows it has."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file) -> bool | str:
        return check_input(file)

    @classmethod
    def fingerprint_inputs(cls, file, **_) -> float:
        return state_of(file)

    @classmethod
    def execute(cls, file, format="plain") -> io.NodeOutput:
        table = casual_conversations.load(input_path(file), format)
        columns = "\n".join(f"{name}: {table.kind(name)}" for name in table.names)
        return io.NodeOutput(table, columns, len(table))


class TableColumn(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessTableColumn",
            display_name="Table Column",
            category="likeness/reports",
            description="One column of a table as a list: whatever takes its values runs once for each row.",
            search_aliases=["csv column", "list of values", "for each row", "table values"],
            inputs=[
                host.Table.Input("table", tooltip="From Load Table, Design Experiment or a report."),
                io.String.Input("column", default="prompt", tooltip="Its name."),
            ],
            outputs=[
                io.AnyType.Output(
                    "values",
                    is_output_list=True,
                    tooltip="The cells in order: text, whole numbers or numbers, as the column has them.",
                )
            ],
        )

    @classmethod
    def execute(cls, table, column) -> io.NodeOutput:
        return io.NodeOutput(table[column].tolist())


class SaveReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveReport",
            display_name="Save Report",
            category="likeness/reports",
            description="A report as a figure, as text and as files.",
            search_aliases=["report", "csv", "json", "parquet", "markdown", "chart", "save table"],
            inputs=[
                io.MultiType.Input(
                    "report", [host.Report, host.Table], tooltip="A report of any audit, or a table: its rows."
                ),
                io.String.Input("filename_prefix", default="reports/likeness", tooltip="Folder and name of the files."),
                io.Combo.Input(
                    "format",
                    options=[*FORMATS, "none"],
                    default="csv",
                    tooltip="Of the rows; beside them are the text as .md, everything as .json and the figure as .png. "
                    "json: no file of rows; none: no file at all. Parquet needs pyarrow.",
                ),
                io.Int.Input(
                    "width",
                    default=1200,
                    min=400,
                    max=4096,
                    optional=True,
                    advanced=True,
                    tooltip="Of the figure, pixels.",
                ),
            ],
            outputs=[
                io.Image.Output("figure", tooltip="All charts below each other."),
                io.String.Output("markdown", tooltip="What is said, and the tables."),
                host.Table.Output("table", tooltip="The rows of the report's first table."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, report, filename_prefix, format, width=1200) -> io.NodeOutput:
        report = report if isinstance(report, Report) else Report.of_table(report)
        figure, kept = report.figure(width), format != "none"
        path, shown = place(filename_prefix if kept else "likeness_report", "output" if kept else "temp")
        files = report.write(path, format) if kept else []
        save_figure(figure, path.with_name(f"{path.name}.png"))
        ui = {
            "images": [{**shown, "filename": f"{path.name}.png"}],
            "files": [{**shown, "filename": file.name} for file in files],
            "text": (report.markdown(),),
        }
        return io.NodeOutput(convert.to_host(figure), report.markdown(), report.table, ui=ui)


def place(prefix: str, kind: str) -> tuple[Path, dict[str, str]]:
    """The next free path below the output or temp folder, without a suffix, and where that is for the canvas."""
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_directory_by_type(kind)
    )
    return Path(folder, f"{name}_{number:05}_"), {"subfolder": subfolder, "type": kind}


def save_figure(figure: Tensor, path: Path) -> None:
    """Write a (1, H, W, 3) picture as PNG."""
    Image.fromarray((figure[0].numpy() * 255).round().astype(np.uint8)).save(path)


NODES = (LoadTable, TableColumn, SaveReport)
