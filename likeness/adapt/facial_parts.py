"""The parts of one person's face as pictures of their own, and what CLIP vision sees in a picture."""

from __future__ import annotations

from torch import Tensor

from ..mask import fill_holes
from ..parse.regions import to_mask
from .person import Person

# In the order of BiSeNet's labels: what a part is called, and its classes, of which the first that is seen counts.
PARTS = {
    "face": ("skin",),
    "eyes": ("left_eye", "right_eye"),
    "ears": ("left_ear", "right_ear"),
    "nose": ("nose",),
    "mouth": ("upper_lip", "lower_lip"),
}


def picture(person: Person, adapter: str) -> tuple[Tensor, int]:
    """(1, H, W, 3) the picture of a person's one face, and which image it is.

    Raises:
        ValueError: There is none, or there are several.
    """
    image, faces = person.pictures(adapter)
    if len(faces) > 1:
        raise ValueError(
            f"Expected one picture of the person, got {len(faces)}: {adapter} reads one; pick it with Select Faces."
        )
    index = int(faces.image_index[0])
    return image[index : index + 1], index


def cut_out(person: Person, adapter: str) -> dict[str, Tensor]:
    """(H, W, 3) the picture with all black but one part, by the names of the parts that are seen.

    Args:
        person: Pictures, the face in one of them, and its parsing.
        adapter: Who asks, for the message.

    Raises:
        ValueError: There is no parsing, or one without parts.
    """
    if person.parsing is None:
        raise ValueError(f"Expected the parts of the person's face, got none: {adapter} needs them from Parse Faces.")
    (image,), index = picture(person, adapter)
    found = {}
    for part, names in PARTS.items():
        for name in names:
            if part in found or name not in person.parsing.classes:
                continue
            inside = fill_holes(to_mask(person.parsing, name)[index : index + 1])[0] > 0.5  # the authors' have no edge
            if inside.any():
                found[part] = image * inside[..., None]
    if not found:
        raise ValueError(
            f"Expected a parsing with skin, eyes, ears, nose or lips, of which one at least is seen, got one of "
            f"{', '.join(person.parsing.classes)}: for {adapter} choose a parser of faces, such as RTNet's 14 classes."
        )
    return found


def look(person: Person, image: Tensor | None, size: int, adapter: str) -> Tensor:
    """(B, M, C) what CLIP vision sees in (B, H, W, 3) images: its hidden states before the last.

    Args:
        person: Who brings CLIP vision along.
        image: RGB in [0, 1]; None: zeros after CLIP's preprocessing, which is how networks are told of no picture.
        size: C.
        adapter: Who asks, for the message.

    Raises:
        ValueError: There is none, or another one than the adapter was trained with.
    """
    if person.look is None:
        raise ValueError(
            f"Expected a CLIP vision model, got none: {adapter} looks through CLIP-ViT-H; connect Load CLIP Vision."
        )
    seen = person.look(image)
    if seen.shape[-1] != size:
        raise ValueError(
            f"Expected a CLIP vision model of {size} numbers, CLIP-ViT-H, with which {adapter} was trained, got one of "
            f"{seen.shape[-1]}: load that one."
        )
    return seen
