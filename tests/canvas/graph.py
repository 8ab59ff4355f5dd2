"""How a workflow is described: nodes in columns. ``save_workflow`` builds it on the canvas and saves it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Room for what a node shows, in the canvas's units; others are as high as their widgets ask.
WIDTH = 300
HEIGHT = {
    "LoadImage": 340,
    "PreviewImage": 340,
    "SaveImage": 360,
    "LoadVideo": 340,
    "SaveVideo": 420,
    "SaveGLB": 460,
    "PreviewAny": 90,
    "MarkdownNote": 200,
}
LOADER = 150  # it shows its engine below its widgets


@dataclass(frozen=True, eq=False)
class Output:
    """One output of a node, to be given to another node as an input."""

    node: Node
    name: str


class Node:
    """A node of the canvas.

    Args:
        kind: Its class, such as ``LoadImage``.
        title: What it is called, when not by its class's display name.
        room: Width and height, when the usual ones do not do.
        inputs: Per input either a value, for its widget, or another node's output: ``image=photo["IMAGE"]``.
    """

    def __init__(self, kind: str, title: str = "", room: tuple[int, int] | None = None, /, **inputs: Any) -> None:
        self.kind, self.title, self.inputs = kind, title, inputs
        self.room = room or (WIDTH, HEIGHT.get(kind, LOADER if kind.startswith("LikenessLoad") else 0))

    def __getitem__(self, output: str) -> Output:
        return Output(self, output)


def note(text: str, height: int = HEIGHT["MarkdownNote"]) -> Node:
    """A note in Markdown."""
    return Node("MarkdownNote", "Note", (WIDTH, height), text=text)


def value(title: str, output: Output) -> Node:
    """A number or a word that an output gives, under a title."""
    return Node("PreviewAny", title, source=output)


class Column:
    """Nodes below each other.

    Args:
        lanes: From top to bottom a node, or a tuple of them: all columns begin their second lane at one height.
        top: Room above, in the canvas's units, for links to pass.
    """

    def __init__(self, *lanes: Node | tuple[Node, ...], top: int = 0) -> None:
        self.top = top
        self.lanes = [lane if isinstance(lane, tuple) else (lane,) for lane in lanes]


class Graph:
    """Columns from left to right.

    Args:
        columns: The nodes.
        frames: Titled frames around nodes that stand together.
        pictures: The output nodes whose pictures side by side become the workflow's thumbnail.
    """

    def __init__(self, *columns: Column, frames: dict[str, tuple[Node, ...]], pictures: tuple[Node, ...]) -> None:
        self.columns, self.frames, self.pictures = columns, frames, pictures
        self.numbers = {id(node): number for number, node in enumerate(self)}

    def __iter__(self) -> Iterator[Node]:
        return (node for column in self.columns for lane in column.lanes for node in lane)

    def number(self, node: Node) -> int:
        """A node's place; on the canvas its id is one more."""
        return self.numbers[id(node)]

    def to_json(self) -> dict[str, Any]:
        """What ``build.js`` takes: nodes by number."""
        nodes = [
            {
                "kind": node.kind,
                "title": node.title,
                "room": node.room,
                "values": {k: v for k, v in node.inputs.items() if not isinstance(v, Output)},
                "links": [[k, self.number(v.node), v.name] for k, v in node.inputs.items() if isinstance(v, Output)],
            }
            for node in self
        ]
        columns = [
            {"top": column.top, "lanes": [[self.number(node) for node in lane] for lane in column.lanes]}
            for column in self.columns
        ]
        frames = [{"title": title, "nodes": [*map(self.number, inside)]} for title, inside in self.frames.items()]
        return {"nodes": nodes, "columns": columns, "frames": frames}
