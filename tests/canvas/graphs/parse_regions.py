"""What each pixel of a photo shows: lips, eyes, skin, the whole person, as masks."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
regions = Node("LikenessLoadFaceParser", "Load Face Parser: parts", model="mesh_regions/attention")
people = Node("LikenessLoadFaceParser", "Load Face Parser: people", model="selfie_segmentation/general")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
parsed = Node(
    "LikenessParseFaces", parser=regions["parser"], image=photo["IMAGE"], faces=faces["faces"], regions="lips, mouth"
)
person = Node("LikenessParseFaces", parser=people["parser"], image=photo["IMAGE"], regions="person")
eyes = Node("LikenessParsingToMask", parsing=parsed["parsing"], regions="eyes, brows")
soft = Node("LikenessRefineMask", mask=person["mask"], grow=6.0, feather=6.0)


def drawn(title: str, mask: object) -> tuple[Node, Node]:
    """The photo with a mask on it, and where it is shown."""
    drawing = Node(
        "LikenessDrawFaces",
        image=photo["IMAGE"],
        faces=faces["faces"],
        boxes=False,
        labels=False,
        points=False,
        mask=mask,
    )
    return drawing, Node("SaveImage", title, images=drawing["image"], filename_prefix=f"likeness/{title.lower()}")


lips_drawn, lips_shown = drawn("Lips", parsed["mask"])
eyes_drawn, eyes_shown = drawn("Eyes", eyes["mask"])
person_drawn, person_shown = drawn("Person", soft["mask"])

about = note(
    "**Masks for inpainting and pasting.** *Parse Faces* runs the network; *Parsing to Mask* asks the same result for "
    "other parts without running it again.\n\nNames apart by commas: lips, mouth, eyes, irises, brows, nose, face."
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, regions, people), top=100),
    Column((faces,)),
    Column(parsed, person),
    Column(eyes, soft),
    Column((lips_drawn, eyes_drawn), person_drawn),
    Column((lips_shown,), person_shown),
    Column((eyes_shown,)),
    frames={
        "Parts of the face": (parsed, eyes, lips_drawn, eyes_drawn, lips_shown, eyes_shown),
        "The whole person": (person, soft, person_drawn, person_shown),
    },
    pictures=(lips_shown, eyes_shown, person_shown),
)
