"""Hair, skin, ears and all the parts of a face, parsed by RTNet on the whole picture."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser", model="rtnet/rtnet50_fcn_14")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
parsed = Node("LikenessParseFaces", parser=parser["parser"], image=photo["IMAGE"], faces=faces["faces"], regions="hair")
skin = Node("LikenessParsingToMask", "Skin", parsing=parsed["parsing"], regions="skin, nose")
parts = Node("LikenessParsingToMask", "Parts", parsing=parsed["parsing"], regions="brows, eyes, lips, ears")


def drawn(title: str, mask: object) -> tuple[Node, Node]:
    """The photo with a mask on it, and where it is shown."""
    only = {"boxes": False, "labels": False, "points": False}
    drawing = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=faces["faces"], mask=mask, **only)
    return drawing, Node("SaveImage", title, images=drawing["image"], filename_prefix=f"likeness/rtnet_{title.lower()}")


hair_drawn, hair_shown = drawn("Hair", parsed["mask"])
skin_drawn, skin_shown = drawn("Skin and nose", skin["mask"])
parts_drawn, parts_shown = drawn("Brows, eyes, lips, ears", parts["mask"])

about = note(
    "**Hair is there too.** RTNet sees the whole picture at once, fine in the face and coarser around it, so hair is "
    "not cut off and nothing need be aligned: a box is enough, and several people are parsed one by one.\n\n"
    "The ids that end in 14 know ears and glasses besides. *skin* includes the scalp."
)
weights = note(
    "**Weights.** They lie in the authors' repository, which is under the MIT licence; they have no terms of their own."
    " The loader says how to get them.",
    160,
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, parser, weights), top=100),
    Column((faces,)),
    Column((parsed, skin, parts)),
    Column((hair_drawn, skin_drawn)),
    Column((parts_drawn,)),
    Column((hair_shown, skin_shown)),
    Column((parts_shown,)),
    frames={
        "Parse": (detector, parser, weights, faces, parsed, skin, parts),
        "Look": (hair_drawn, skin_drawn, parts_drawn, hair_shown, skin_shown, parts_shown),
    },
    pictures=(hair_shown, skin_shown, parts_shown),
)
