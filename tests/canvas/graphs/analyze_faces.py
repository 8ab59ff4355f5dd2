"""What a model sees in each face: attributes as a table and as words, hair as a mask, faces chosen by a condition."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
analyzer = Node("LikenessLoadFaceAnalyzer", "Load Face Analyzer: FaceXFormer", model="facexformer/iccv2025")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
told = Node("LikenessAnalyzeFaces", analyzer=analyzer["analyzer"], image=photo["IMAGE"], faces=faces["faces"])
table = Node("PreviewAny", "Attributes", (300, 260), source=told["table"])
tags = value("Words for a prompt", told["tags"])
hair = Node("LikenessParsingToMask", parsing=told["parsing"], regions="hair")
chosen = Node("LikenessSelectByAttributes", attributes=told["attributes"], conditions="smiling, not eyeglasses")


def drawn(title: str, **what: object) -> tuple[Node, Node]:
    """The photo with something on it, and where it is shown."""
    drawing = Node("LikenessDrawFaces", image=photo["IMAGE"], labels=False, points=False, **what)
    return drawing, Node("SaveImage", title, images=drawing["image"], filename_prefix=f"likeness/{title.lower()}")


found_drawn, found_shown = drawn("Analyzed", faces=faces["faces"])
hair_drawn, hair_shown = drawn("Hair", faces=faces["faces"], boxes=False, mask=hair["mask"])
chosen_drawn, chosen_shown = drawn("Smiling", faces=chosen["faces"])

about = note(
    "**One look, many answers.** *Analyze Faces* gives 40 attributes, what is hidden, points, regions and the head's "
    "angles at once.\n\nRace, gender and age are *apparent*: a model's output, not who a person is. The words for a "
    "prompt leave them out until *sets* names them."
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, analyzer), top=100),
    Column((faces, told)),
    Column((table, tags), (hair, hair_drawn), (chosen, chosen_drawn)),
    Column((found_drawn,), (hair_shown,), (chosen_shown,)),
    Column((found_shown,)),
    frames={
        "Find and analyze": (detector, analyzer, faces, told),
        "Hair": (hair, hair_drawn, hair_shown),
        "Who smiles, without glasses": (chosen, chosen_drawn, chosen_shown),
    },
    pictures=(found_shown,),
)
