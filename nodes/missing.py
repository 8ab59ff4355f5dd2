"""The ``missing`` widget of every node that needs a face in each image; ``select.fill_missing`` does what it says."""

from comfy_api.latest import io

from ..likeness.select import MISSING


def missing_input(default: str = "error") -> io.Combo.Input:
    return io.Combo.Input(
        "missing",
        options=list(MISSING),
        default=default,
        optional=True,
        advanced=True,
        tooltip="An image without a face: error stops and numbers it, hold takes the faces of the image before it (at "
        "the start: of the first that has some), skip leaves it without, interpolate moves from those before to those "
        "after.",
    )
