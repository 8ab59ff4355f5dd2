"""What Pick Faces shows on its page, ``js/pick.js``: a thumbnail of each person found."""

import base64
from dataclasses import replace
from io import BytesIO

import torch
from torch import Tensor

from ..likeness import picked as people
from ..likeness.geometry import FREE, align
from ..likeness.types import Faces
from . import convert

THUMBNAIL = 112  # side, pixels
MOST = 24  # thumbnails
UNKNOWN = (
    "To pick, connect embeddings (Embed Faces): a person is then found in any picture. Or connect faces from Track "
    "Faces: then in this clip."
)


def show_people(image, faces, embeddings, picked, found) -> dict[str, list]:
    """What ``js/pick.js`` shows: a thumbnail per person, what a click on it writes, and which choice it is."""
    every = people.portraits(faces)
    rows = every[:MOST]
    choices = people.read(picked)
    shown = [
        {
            "label": str(int((faces.id if faces.track is None else faces.track)[row])),
            "where": f"image {int(faces.image_index[row])}" if faces.track is None and faces.image_count > 1 else "",
            "picture": picture,
            "choice": people.choice(faces, embeddings, row),
            "held": next(
                (people.write(one) for one, of in zip(choices, found, strict=True) if is_person(faces, of, row)), ""
            ),
        }
        for row, picture in zip(rows.tolist(), thumbnails(image, faces.select(rows)), strict=True)
    ]
    says = [f"Nobody was found in {faces.image_count} images."] if not len(every) else []
    says += [UNKNOWN] if len(every) and not shown[0]["choice"] else []
    says += [f"{len(every) - MOST} more are not shown: connect Track Faces."] if len(every) > MOST else []
    missed = sum(not of.any() for of in found)
    says += [f"{missed} of {len(found)} picked people are not here."] if missed else []
    return {"likeness_people": shown, "likeness_says": says}


def is_person(faces: Faces, of: Tensor, row: int) -> bool:
    """Whether a face is among some, or its track is."""
    same = torch.zeros(len(faces), dtype=torch.bool)
    same[row] = True
    return bool((of & (same if faces.track is None else faces.track == faces.track[row])).any())


def thumbnails(image: Tensor, faces: Faces) -> list[str]:
    """The faces as JPEGs that a page can show."""
    from PIL import Image

    images, index = faces.image_index.unique(return_inverse=True)
    shown = replace(faces, image_index=index, image_count=len(images))
    squares, _ = align(convert.rgb(image[images]), shown, FREE, THUMBNAIL, padding="edge", margin=0.2)
    found = []
    for square in squares:
        Image.fromarray((square.clamp(0, 1) * 255).round().byte().numpy()).save(file := BytesIO(), "JPEG")
        found.append("data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode())
    return found
