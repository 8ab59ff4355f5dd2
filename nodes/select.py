"""Whom to work on: chosen by a rule, or by a click on a face."""

import base64
from dataclasses import replace
from io import BytesIO

import torch
from comfy_api.latest import io
from torch import Tensor

from ..likeness import picked as people
from ..likeness.geometry import FREE, align, check_image
from ..likeness.select import ANGLES, ORDERS, fill_missing, on_tracks, pick, rank, resemblance, within
from ..likeness.types import Faces
from . import convert, host
from .missing import missing_input

THUMBNAIL = 112  # side, pixels
MOST = 24  # thumbnails
UNKNOWN = (
    "To pick, connect embeddings (Embed Faces): a person is then found in any picture. Or connect faces from Track "
    "Faces: then in this clip."
)


def angle_input(name: str, end: str) -> io.Float.Input:
    """One end of the range in which a head may turn."""
    positive = {"yaw": "the nose to the right", "pitch": "the nose up", "roll": "clockwise"}[name]
    return io.Float.Input(
        f"{name}_{end}",
        default=-180.0 if end == "from" else 180.0,
        min=-180.0,
        max=180.0,
        step=1.0,
        optional=True,
        advanced=True,
        tooltip=f"Keep only heads whose {name} is {'at least' if end == 'from' else 'at most'} so many degrees, "
        f"positive {positive}; needs head_pose.",
    )


class SelectFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSelectFaces",
            display_name="Select Faces",
            category="likeness/faces",
            description="Keeps some faces of every image: the largest, the leftmost, the one like a reference.",
            search_aliases=["filter faces", "pick face", "face index", "largest face", "same person", "reference face"],
            inputs=[
                host.Faces.Input("faces", tooltip="The faces to choose from."),
                io.Combo.Input(
                    "by",
                    options=list(ORDERS),
                    default="size",
                    tooltip="Who comes first in an image: as detected, the largest, the one nearest to an edge or to "
                    "the centre, the surest, the most similar to the reference, the one of the first track, the "
                    "sharpest, or the one who looks most into the camera.",
                ),
                io.Int.Input("keep", default=1, min=0, max=1000, tooltip="How many of each image to keep; 0: all."),
                io.Int.Input(
                    "first",
                    default=0,
                    min=0,
                    max=1000,
                    optional=True,
                    advanced=True,
                    tooltip="How many of each image to pass over first: 1 begins with the second.",
                ),
                io.Boolean.Input(
                    "reverse",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Turn the order round: smallest first.",
                ),
                host.FaceEmbeddings.Input(
                    "embeddings", optional=True, tooltip="Of all these faces, from Embed Faces; for similarity."
                ),
                host.FaceEmbeddings.Input("reference", optional=True, tooltip="Whom to look for; for similarity."),
                io.Boolean.Input(
                    "same_person",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Keep only who is the reference's person by the model's published threshold.",
                ),
                missing_input("skip"),
                io.String.Input(
                    "tracks",
                    default="",
                    optional=True,
                    tooltip="Keep only these tracks, by number as Draw Faces shows them: 0, 2. Empty: all.",
                ),
                io.Image.Input("image", optional=True, tooltip="The images of the faces; for sharpness."),
                io.Float.Input(
                    "min_sharpness",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Keep only faces at least so sharp: under 0.05 is blurred, over 0.15 sharp. 0: all.",
                ),
                host.HeadPose.Input(
                    "head_pose", optional=True, tooltip="Of all these faces, from Estimate Head Pose; for angles."
                ),
                *(angle_input(name, end) for name in ANGLES for end in ("from", "to")),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces kept, in the order chosen; each keeps its id."),
                io.Int.Output("count", tooltip="How many they are in all images."),
            ],
        )

    @classmethod
    def execute(
        cls,
        faces,
        by,
        keep,
        first=0,
        reverse=False,
        embeddings=None,
        reference=None,
        same_person=False,
        missing="skip",
        tracks="",
        image=None,
        min_sharpness=0.0,
        head_pose=None,
        yaw_from=-180.0,
        yaw_to=180.0,
        pitch_from=-180.0,
        pitch_to=180.0,
        roll_from=-180.0,
        roll_to=180.0,
    ) -> io.NodeOutput:
        angles = {"yaw": (yaw_from, yaw_to), "pitch": (pitch_from, pitch_to), "roll": (roll_from, roll_to)}
        among = on_tracks(faces, tracks) & within(faces, head_pose, angles)
        asked = by == "similarity" or same_person
        similarity = resemblance(faces, embeddings, reference) if asked else None
        if same_person:
            among &= embeddings.same_person(reference).any(1)
        sharp = host.sharpness(image, faces) if by == "sharpness" or min_sharpness else None
        if min_sharpness:
            among &= sharp >= min_sharpness
        kept = pick(faces, rank(faces, by, similarity, sharp, head_pose), first, keep, reverse, among)
        kept = fill_missing(kept, missing)
        return io.NodeOutput(kept, len(kept))


class PickFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPickFaces",
            display_name="Pick Faces",
            category="likeness/faces",
            description="Shows who was found; click a face to keep that person, in this picture and in any other. "
            "While nobody is picked everybody goes on.",
            search_aliases=["face picker", "choose face", "click face", "select person", "face thumbnails"],
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.Faces.Input("faces", tooltip="The faces to pick from; of Track Faces one thumbnail per track."),
                io.String.Input(
                    "picked",
                    default="",
                    optional=True,
                    tooltip="Who is picked, as a click writes it: identities, or tracks of this clip. Empty: all.",
                ),
                host.FaceEmbeddings.Input(
                    "embeddings",
                    optional=True,
                    tooltip="Of these faces, from Embed Faces or Track Faces: a picked person is found by identity.",
                ),
                io.Boolean.Input(
                    "same_person",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Keep only who is that person by the model's published threshold; off: the most similar "
                    "face of each image.",
                ),
                missing_input("skip"),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces of who is picked; each keeps its number and track."),
                io.Int.Output("count", tooltip="How many they are in all images."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, picked="", embeddings=None, same_person=True, missing="skip") -> io.NodeOutput:
        check_image(image, faces)
        found = people.find(faces, embeddings, picked, same_person)
        kept = faces if not found else faces.select(torch.stack(found).any(0))
        kept = fill_missing(kept, missing)
        return io.NodeOutput(kept, len(kept), ui=show_people(image, faces, embeddings, picked, found))


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


NODES = (SelectFaces, PickFaces)
