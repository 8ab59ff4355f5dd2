"""The one vocabulary of parsing, and the one way from a parsing to a mask of the whole image."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.nn.functional import pad

from ..geometry import uncut
from ..types import ParsingMap

# Left and right are the image's. A system names its classes from these, in its own order.
CLASSES: tuple[str, ...] = (
    "background",
    "skin",
    "left_brow",
    "right_brow",
    "left_eye",
    "right_eye",
    "left_iris",
    "right_iris",
)
CLASSES += ("eyeglasses", "left_ear", "right_ear", "earring", "nose", "mouth", "lips", "upper_lip", "lower_lip")
CLASSES += ("teeth", "beard", "neck", "necklace", "cloth", "hair", "hat", "person")

# Names for several classes at once, as far as a system has them.
FACE: tuple[str, ...] = (
    "skin",
    "left_brow",
    "right_brow",
    "left_eye",
    "right_eye",
    "left_iris",
    "right_iris",
    "eyeglasses",
    "nose",
)
FACE += ("mouth", "lips", "upper_lip", "lower_lip", "teeth", "beard")
GROUPS = {
    "all": CLASSES[1:],
    "face": FACE,
    "lips": ("lips", "upper_lip", "lower_lip"),
    "eyes": ("left_eye", "right_eye", "left_iris", "right_iris"),
    "irises": ("left_iris", "right_iris"),
    "brows": ("left_brow", "right_brow"),
    "ears": ("left_ear", "right_ear", "earring"),
}
# A whole person is everything but the background, of a system that sees more of him than the face.
BEYOND_THE_FACE = {"hair", "person"}


def find_classes(names: Iterable[str], classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes of a system that some names of classes and groups ask for; a class is never split by guess.

    Args:
        names: Of classes and groups.
        classes: The system's.

    Raises:
        ValueError: The system has nothing under a name; says what it has.
    """
    found: list[str] = []
    for name in names:
        wanted = GROUPS.get(name, (name,))
        if name == "person" and BEYOND_THE_FACE & set(classes):
            wanted = GROUPS["all"]
        known = [one for one in wanted if one in classes]
        if not known:
            groups = [group for group, members in GROUPS.items() if set(members) & set(classes)]
            raise ValueError(
                f"Expected regions among {', '.join([*groups, *classes])}, got {name}: this parser does not tell it "
                "apart; take another region or another parser."
            )
        found += known
    return tuple(dict.fromkeys(found))


def to_mask(parsing: ParsingMap, *names: str) -> Tensor:
    """(B, H, W) how much of each pixel of the images is of the named classes and groups, in [0, 1].

    Args:
        parsing: Of the faces in these images.
        names: Of classes and groups; where several faces overlap the largest value counts.

    Raises:
        ValueError: The parsing has nothing under a name.
    """
    mask = parsing.mask(*find_classes(names, parsing.classes))
    if parsing.probability is None:
        mask = smooth(mask)  # else the steps of the labels show where a face is larger than its square
    return uncut(mask, parsing.alignment)


def smooth(mask: Tensor) -> Tensor:
    """(N, S, S) blurred by a pixel: a pattern of two pixels vanishes."""
    x = pad(mask[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    x = (x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]) / 4
    return (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4
