"""Analysis: images and the faces in them in, what a model sees in each face out."""

from torch import nn

from . import facexformer, fsfm_detectors
from .analysis import Analysis
from .reading import holds, to_records, to_table, to_tags

SYSTEMS = (facexformer.SYSTEM, fsfm_detectors.SYSTEM, fsfm_detectors.SPOOF_SYSTEM)

__all__ = ["SYSTEMS", "Analysis", "choose_preparation", "holds", "to_records", "to_table", "to_tags"]


def choose_preparation(network: nn.Module, chosen: str = "auto", id: str = "") -> None:
    """Set how pictures are prepared, where a system's checkpoints were trained on several ways.

    Args:
        network: Of one of ``SYSTEMS``.
        chosen: A way among the network's ``preparations``, or auto: what the published weights were trained on.
        id: Of these, where they are known by it.

    Raises:
        ValueError: The network has several and nobody chose, or it knows no such way.
    """
    offered: tuple[str, ...] = getattr(network, "preparations", ())
    known = fsfm_detectors.PUBLISHED.get(id) or (offered[0] if len(offered) == 1 else None)
    way = known if chosen == "auto" else chosen
    if way is None and not offered:
        return
    if way not in offered:
        expected = f"a preparation among {', '.join(offered)}" if offered else "auto for the preparation"
        why = "nothing in its file says how it was trained" if way is None else "it was trained on no such pictures"
        raise ValueError(
            f"Expected {expected} for {type(network).__name__}, got {way or 'none'}: {why}. Set preparation on Load "
            "Face Analyzer."
        )
    vars(network)["preparation"] = way
