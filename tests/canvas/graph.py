"""How a workflow is described: nodes in columns. ``save_workflow`` builds it on the canvas and saves it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Room for what a node shows, in the canvas's units; others are as high as their widgets ask.
WIDTH = 300
HEIGHT = {"LoadImage": 340, "PreviewImage": 340, "SaveImage": 360, "PreviewAny": 90, "MarkdownNote": 160}


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
        size: Width and height, when the usual ones do not do.
        inputs: Per input either a value, for its widget, or another node's output: ``image=photo["IMAGE"]``.
    """

    def __init__(self, kind: str, title: str = "", size: tuple[int, int] | None = None, **inputs: Any) -> None:
        self.kind, self.title, self.inputs = kind, title, inputs
        self.size = size or (WIDTH, HEIGHT.get(kind, 0))

    def __getitem__(self, output: str) -> Output:
        return Output(self, output)


def note(text: str, height: int = HEIGHT["MarkdownNote"]) -> Node:
    """A note in Markdown."""
    return Node("MarkdownNote", "Note", (WIDTH, height), text=text)


class Column:
    """Nodes below each other, in a frame that bears the title.

    Args:
        title: Of the frame.
        lanes: From top to bottom a node, or a tuple of them: all columns begin their second lane at one height.
        top: Room above, in the canvas's units, for links to pass.
    """

    def __init__(self, title: str, *lanes: Node | tuple[Node, ...], top: int = 0) -> None:
        self.title, self.top = title, top
        self.lanes = [lane if isinstance(lane, tuple) else (lane,) for lane in lanes]


class Graph:
    """Columns from left to right.

    Args:
        columns: The nodes.
        pictures: The output nodes whose pictures side by side become the workflow's thumbnail.
    """

    def __init__(self, *columns: Column, pictures: tuple[Node, ...]) -> None:
        self.columns, self.pictures = columns, pictures

    def __iter__(self) -> Iterator[Node]:
        return (node for column in self.columns for lane in column.lanes for node in lane)

    def numbers(self) -> dict[int, int]:
        """The place of each node, by its Python identity; on the canvas its id is one more."""
        return {id(node): i for i, node in enumerate(self)}

    def to_json(self) -> dict[str, Any]:
        """What ``build.js`` takes: nodes by number."""
        number = self.numbers()
        nodes = [
            {
                "kind": node.kind,
                "title": node.title,
                "size": node.size,
                "values": {k: v for k, v in node.inputs.items() if not isinstance(v, Output)},
                "links": [[k, number[id(v.node)], v.name] for k, v in node.inputs.items() if isinstance(v, Output)],
            }
            for node in self
        ]
        columns = [
            {"title": c.title, "top": c.top, "lanes": [[number[id(node)] for node in lane] for lane in c.lanes]}
            for c in self.columns
        ]
        return {"nodes": nodes, "columns": columns}
