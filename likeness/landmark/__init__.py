"""Dense landmarks: images and the faces in them in, the points of each face out."""

from torch import nn

from ..analyze import facexformer
from . import fan, mediapipe_face, mediapipe_mesh

SYSTEMS = (mediapipe_mesh.ATTENTION, mediapipe_mesh.BASE, mediapipe_face.SYSTEM, fan.SYSTEM, facexformer.SYSTEM)
METHODS = ("chatanything",)  # published, each a module here, without a network of its own


def choose(network: nn.Module, **choices: str) -> None:
    """Set how a network works, where its system leaves a choice; "auto" leaves it.

    Raises:
        ValueError: It leaves no such choice.
    """
    for name, choice in choices.items():
        offered = getattr(network, "CHOICES", {}).get(name, ())
        if choice not in ("auto", *offered):
            also = f" or {', '.join(offered)}" if offered else ""
            raise ValueError(
                f"Expected auto{also} for {name} of {type(network).__name__}, got {choice}: only FAN leaves the choice."
            )
        if choice != "auto":
            setattr(network, name, choice)
