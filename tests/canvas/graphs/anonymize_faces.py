"""Faces hidden, and a recogniser asked whether they are."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], threshold=0.5)
hidden = Node(
    "LikenessAnonymizeFaces", image=photo["IMAGE"], faces=faces["faces"], way="pixelate", embedder=embedder["embedder"]
)
saved = Node("SaveImage", "Hidden", images=hidden["image"], filename_prefix="likeness/hidden")
known = value("Still recognised", hidden["recognised"])
report = value("Report", hidden["report"])

about = note(
    "**Who is it?** The faces are hidden, then the recogniser compares them with what they were. *Still recognised* "
    "must be 0.\n\nA face that is not found is not hidden: look through the pictures before you publish them."
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, embedder)),
    Column(faces),
    Column(hidden),
    Column(saved, (known, report)),
    frames={"Hide": (faces, hidden, saved), "Ask": (known, report)},
    pictures=(saved,),
)
