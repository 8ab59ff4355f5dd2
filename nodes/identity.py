"""What is said with identities: fused, mixed, ranked, grouped, found, judged. Files and folders are in ``gallery``."""

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..likeness.audit.table import Table
from ..likeness.identity import cluster, fuse, judge, rank, search, sphere, threshold
from ..likeness.identity.gallery import as_gallery, join
from ..likeness.sharpness import sharpness
from ..likeness.track import identify
from ..likeness.types import Faces, same_faces
from . import convert, host

GROUPS = ("all", "track", "image")


def set_input(name: str, tooltip: str) -> io.MultiType.Input:
    """A socket that takes a gallery or embeddings; read it with ``as_gallery``."""
    return io.MultiType.Input(name, [host.Gallery, host.FaceEmbeddings], tooltip=tooltip)


def threshold_input(tooltip: str) -> io.Float.Input:
    """An optional threshold, 0 for the published one."""
    return io.Float.Input("threshold", default=0.0, min=0.0, max=2.0, step=0.01, optional=True, tooltip=tooltip)


class FuseIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFuseIdentity",
            display_name="Fuse Identity",
            category="likeness/identity",
            description="One identity out of many faces of a person. Small, blurred and doubtful faces count less, "
            "strangers among them not at all.",
            search_aliases=["average face", "blend embeddings", "mean identity", "face model", "template"],
            inputs=[
                host.FaceEmbeddings.Input("embeddings", tooltip="Faces of one person, from Embed Faces."),
                io.Combo.Input(
                    "by",
                    options=list(GROUPS),
                    default="all",
                    tooltip="One identity of all faces, one per track (who is who), or one per image.",
                ),
                host.Faces.Input(
                    "faces", optional=True, tooltip="These faces with their tracks: from Track Faces or Cluster Faces."
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="Their images: sharp faces count more. Without it only size and "
                    "the detector's score count.",
                ),
                io.Boolean.Input(
                    "quality", default=True, optional=True, tooltip="Weight each face; off: all count alike."
                ),
                io.Float.Input(
                    "reject",
                    default=3.0,
                    min=0.0,
                    max=20.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="A face so many deviations less like the others is left out; 0 keeps all.",
                ),
            ],
            outputs=[
                host.FaceEmbeddings.Output("identity", tooltip="One per group, in the groups' order."),
                host.Table.Output("table", tooltip="A row per face: its group, weight and likeness, and if it counts."),
                io.Int.Output("rejected", tooltip="How many faces were left out."),
            ],
        )

    @classmethod
    def execute(cls, embeddings, by, faces=None, image=None, quality=True, reject=3.0) -> io.NodeOutput:
        if faces is not None:
            embeddings = with_tracks(embeddings, faces)
        about, weights = embeddings.faces, None
        if quality and about is not None:
            weights = fuse.quality(about, None if image is None else sharpness(convert.rgb(image), about))
        fused = fuse.fuse(embeddings, groups_of(about, by), weights, reject)
        return io.NodeOutput(fused.identities.identities, fused.table, int((~fused.table["kept"]).sum()))


def with_tracks(embeddings, faces: Faces):
    """The embeddings with the tracks of their faces; faces that bridge a gap have their track's mean."""
    known = embeddings.faces
    if known is not None and len(known) != len(faces):
        return identify(faces, embeddings)
    same_faces(embeddings if known is not None else faces, faces)
    return replace(embeddings, faces=faces)


def groups_of(faces: Faces | None, by: str) -> torch.Tensor | None:
    """The group of each face; None where all are one.

    Raises:
        ValueError: They have no tracks, or come from no image.
    """
    if by == "all":
        return None
    found = None if faces is None else faces.track if by == "track" else faces.image_index
    if found is None:
        raise ValueError(
            f"Expected faces with their {by}, got none: connect Track Faces or Cluster Faces, or take all."
        )
    return found


class MixIdentities(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        more = [host.FaceEmbeddings.Input(name, optional=True, tooltip="More of them.") for name in ("c", "d")]
        return io.Schema(
            node_id="LikenessMixIdentities",
            display_name="Mix Identities",
            category="likeness/identity",
            description="A person who is a bit of each: the weighted middle of several identities.",
            search_aliases=["blend faces", "merge identities", "combine faces", "child of two", "average identity"],
            inputs=[
                host.FaceEmbeddings.Input("a", tooltip="One identity or more."),
                host.FaceEmbeddings.Input("b", tooltip="One identity or more of the same model."),
                *more,
                io.String.Input(
                    "weights",
                    default="",
                    optional=True,
                    tooltip="A number for each identity in their order, commas between: 2, 1. Empty: all alike.",
                ),
            ],
            outputs=[host.FaceEmbeddings.Output("identity", tooltip="The one in the middle.")],
        )

    @classmethod
    def execute(cls, a, b, c=None, d=None, weights="") -> io.NodeOutput:
        together = join([as_gallery(replace(given, faces=None)) for given in (a, b, c, d) if given is not None])
        return io.NodeOutput(sphere.mix(together.identities, read_numbers(weights)))


def read_numbers(text: str) -> list[float]:
    """Numbers with commas between.

    Raises:
        ValueError: A word is none.
    """
    try:
        return [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise ValueError(f"Expected numbers with commas between, such as 2, 1, got {text!r}.") from None


class InterpolateIdentities(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessInterpolateIdentities",
            display_name="Interpolate Identities",
            category="likeness/identity",
            description="The way from one person to another in even steps over the sphere of identities.",
            search_aliases=["morph identity", "slerp", "blend faces", "face morph"],
            inputs=[
                host.FaceEmbeddings.Input("a", tooltip="One identity: where the way begins."),
                host.FaceEmbeddings.Input("b", tooltip="One identity of the same model: where it ends."),
                io.Int.Input("steps", default=5, min=1, max=1000, tooltip="How many to make, both ends included."),
                io.Float.Input(
                    "start", default=0.0, min=-1.0, max=2.0, step=0.05, optional=True, tooltip="The first: 0 is a."
                ),
                io.Float.Input(
                    "stop",
                    default=1.0,
                    min=-1.0,
                    max=2.0,
                    step=0.05,
                    optional=True,
                    tooltip="The last: 1 is b; beyond it b is exaggerated. Of one step only start counts.",
                ),
            ],
            outputs=[host.FaceEmbeddings.Output("identities", tooltip="One per step.")],
        )

    @classmethod
    def execute(cls, a, b, steps, start=0.0, stop=1.0) -> io.NodeOutput:
        return io.NodeOutput(sphere.between(a, b, torch.linspace(start, stop, steps, dtype=torch.float64).tolist()))


class PerturbIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPerturbIdentity",
            display_name="Perturb Identity",
            category="likeness/identity",
            description="People who look somewhat like somebody: identities at one angle around theirs.",
            search_aliases=["vary identity", "random identity", "sibling", "identity noise", "anonymize"],
            inputs=[
                host.FaceEmbeddings.Input("identity", tooltip="One identity."),
                io.Float.Input(
                    "degrees",
                    default=30.0,
                    min=0.0,
                    max=180.0,
                    step=1.0,
                    tooltip="How far away. The similarity is its cosine: 30 degrees 0.87, 60 degrees 0.5.",
                ),
                io.Int.Input("count", default=4, min=1, max=10000, tooltip="How many to make."),
                io.Int.Input("direction_seed", default=0, min=0, max=2**32 - 1, tooltip="Another one, other people."),
            ],
            outputs=[host.FaceEmbeddings.Output("identities", tooltip="So many, all at that angle.")],
        )

    @classmethod
    def execute(cls, identity, degrees, count, direction_seed) -> io.NodeOutput:
        return io.NodeOutput(sphere.perturb(identity, degrees, count, direction_seed))


class RankByIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRankByIdentity",
            display_name="Rank by Identity",
            category="likeness/identity",
            description="Sorts images by how like somebody they are, and keeps the best.",
            search_aliases=["best of n", "best likeness", "sort by similarity", "pick best image", "closest face"],
            inputs=[
                io.Image.Input("image", tooltip="The images to sort."),
                host.FaceEmbeddings.Input("embeddings", tooltip="Of the faces in these images, from Embed Faces."),
                host.FaceEmbeddings.Input("reference", tooltip="Whom to be like; of several the closest counts."),
                io.Int.Input("keep", default=1, min=0, max=10000, tooltip="How many images to keep; 0: all, sorted."),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The images, the most like first."),
                io.Float.Output("best", tooltip="The first's similarity; of dlib's network its distance."),
                host.Table.Output("table", tooltip="A row per image in this order; one without a face comes last."),
            ],
        )

    @classmethod
    def execute(cls, image, embeddings, reference, keep) -> io.NodeOutput:
        order, measure = rank.rank(embeddings, reference)
        if len(order) != len(image):
            raise ValueError(f"Expected the {len(order)} images of these faces, got {len(image)}: connect those.")
        name = "distance" if embeddings.metric == "l2" else "similarity"
        rows = [(place, number, measure[number].item()) for place, number in enumerate(order.tolist(), 1)]
        table = Table.of(("place", "image", name), rows)
        return io.NodeOutput(image[order[: keep or len(order)]], float(measure[order[0]]), table)


class ClusterFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessClusterFaces",
            display_name="Cluster Faces",
            category="likeness/identity",
            description="Who is who in a batch or a folder: groups the faces by person. A face that is like two people "
            "does not make them one.",
            search_aliases=["group faces", "face clustering", "sort photos by person", "unique people", "dedupe"],
            inputs=[
                set_input("identities", "Faces of anybody: from Embed Faces, Embed Folder or Load Identity."),
                threshold_input("Two faces are one person over this similarity; with dlib's network under this "
                                "distance. 0: the model's published one; ArcFace and FaceNet need yours."),
            ],
            outputs=[
                host.Gallery.Output("people", tooltip="One identity per person, the one with most faces first."),
                host.Table.Output("table", tooltip="A row per face: its person, how like, and if it lies between two."),
                io.Int.Output("count", tooltip="How many people there are; a face like no other is one."),
                host.Faces.Output(
                    "faces",
                    tooltip="The faces of images with their person as track, for Select Faces and Fuse Identity; none "
                    "of a folder or file.",
                ),
                host.FaceEmbeddings.Output("embeddings", tooltip="The people as embeddings, in their order."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, identities, threshold=0.0) -> io.NodeOutput:
        found = cluster.cluster(identities, threshold or None)
        faces = as_gallery(identities).identities.faces
        faces = Faces.empty((1, 1)) if faces is None else replace(faces, track=torch.from_numpy(found.label))
        return io.NodeOutput(found.people, found.table, len(found.people), faces, found.people.identities)


class FindIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFindIdentity",
            display_name="Find Identity",
            category="likeness/identity",
            description="Looks for a person in a set of any size: a folder, a file, the people of a batch.",
            search_aliases=["face search", "who is this", "face recognition", "nearest face", "look up person"],
            inputs=[
                host.FaceEmbeddings.Input("who", tooltip="Whom to look for, one or several, from Embed Faces."),
                set_input("gallery", "Where to look: from Embed Folder, Load Identity or Cluster Faces."),
                io.Int.Input("count", default=5, min=1, max=1000, tooltip="How many to give for each."),
                threshold_input("For the verdict: one person over this similarity, or under this distance. 0: the "
                                "published one, and where there is none no verdict."),
            ],
            outputs=[
                io.String.Output("name", tooltip="What the nearest to the first is called."),
                io.Float.Output("measure", tooltip="Its similarity; of dlib's network its distance."),
                host.Table.Output("table", tooltip="The nearest to each, the nearest first, with the verdict."),
                host.FaceEmbeddings.Output("found", tooltip="The nearest identity to each."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, who, gallery, count, threshold=0.0) -> io.NodeOutput:
        gallery = as_gallery(gallery)
        found = search.find(gallery, who, count)
        limit = threshold or gallery.identities.threshold
        table = search.report_rows(found, gallery, as_gallery(who), limit)
        nearest = replace(gallery.select(found.row[:, 0]).identities, faces=None)
        return io.NodeOutput(gallery.name(int(found.row[0, 0])), float(found.measure[0, 0]), table, nearest)


class ThresholdFromStrangers(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessThresholdFromStrangers",
            display_name="Threshold from Strangers",
            category="likeness/identity",
            description="The similarity that two different people of a set reach only so seldom: a threshold of your "
            "own for Compare Faces, Find Identity and Cluster Faces.",
            search_aliases=["false accept rate", "FAR", "calibrate threshold", "impostor scores", "face threshold"],
            inputs=[
                set_input("strangers", "Faces of a set, each of another person."),
                io.Float.Input(
                    "far",
                    default=0.001,
                    min=0.0,
                    max=1.0,
                    step=0.0001,
                    round=False,
                    tooltip="The share of pairs of two people that may pass as one.",
                ),
                host.Faces.Input(
                    "faces", optional=True, tooltip="Who is who, as tracks, where some are one person: Cluster Faces."
                ),
            ],
            outputs=[
                io.Float.Output("threshold", tooltip="In the model's own measure."),
                io.String.Output("about", tooltip="The rate, the pairs and people it was set by, and what it hides."),
            ],
        )

    @classmethod
    def execute(cls, strangers, far, faces=None) -> io.NodeOutput:
        known = as_gallery(strangers).identities
        people = None if faces is None else groups_of(with_tracks(known, faces).faces, "track")
        found = threshold.threshold_from(known, far, people)
        return io.NodeOutput(found.value, f"{known.space}: {found}")


class JudgeIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessJudgeIdentity",
            display_name="Judge Identity",
            category="likeness/identity",
            description="How like the reference generated faces are, by an encoder that the generator did not use. The "
            "generator's own says nothing: it was made to please it.",
            search_aliases=["identity score", "face similarity metric", "evaluate adapter", "id preservation", "CSIM"],
            inputs=[
                host.FaceEmbeddings.Input("generated", tooltip="The generated faces, embedded by the judge."),
                host.FaceEmbeddings.Input("reference", tooltip="Who they should be, embedded by the judge too."),
                host.FaceEmbeddings.Input("used", tooltip="The identity that the generator was given."),
                threshold_input("One person over this similarity; with dlib's network under this distance. 0: the "
                                "judge's published one, and where there is none no verdict."),
                io.Boolean.Input(
                    "circular",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Give the number even when the judge is the generator's own encoder; the report says so.",
                ),
            ],
            outputs=[
                io.Float.Output("score", tooltip="Mean similarity over the images with a face; of dlib's distance."),
                io.Float.Output("accepted", tooltip="Share of all images that are the person; not a number without a "
                                "threshold. An image without a face is not."),
                io.Boolean.Output("independent", tooltip="Whether the judge is another encoder than the generator's."),
                host.Report.Output("report", tooltip="A row per image and what must be said, for Save Report."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, generated, reference, used, threshold=0.0, circular=False) -> io.NodeOutput:
        said = judge.judge(generated, reference, used, threshold or None, circular)
        return io.NodeOutput(said.score, said.accepted, said.independent, said.report)


NODES = (FuseIdentity, MixIdentities, InterpolateIdentities, PerturbIdentity, RankByIdentity, ClusterFaces)
NODES += (FindIdentity, ThresholdFromStrangers, JudgeIdentity)
