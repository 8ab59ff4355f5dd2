"""How long does one face take, on one core?"""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
timed = Node(
    "LikenessTimeRecognition",
    detector=detector["detector"],
    embedder=embedder["embedder"],
    image=photo["IMAGE"],
)
milliseconds = value("Timed milliseconds", timed["milliseconds"])
track = value("Timed track", timed["track"])
saved = Node(
    "LikenessSaveReport",
    "Timed report",
    (320, 420),
    report=timed["report"],
    filename_prefix="reports/fruits",
    format="json",
)
text = Node("PreviewAny", "Timed runs", (420, 420), source=saved["markdown"])
figure = Node("PreviewImage", "Timed figure", images=saved["figure"])
about = note(
    "**FRUITS.** From photo to identity on one core: find, align, embed. 50 runs, the sixth fastest counts, "
    "and 100, 500 or 1000 ms is the track.\n\n"
    "The protocol takes six photos: connect a batch. Times of two machines are not comparable."
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, embedder), top=60),
    Column(timed),
    Column((milliseconds, track)),
    Column(saved),
    Column((text, figure)),
    frames={
        "Photo": (photo, about),
        "Models": (detector, embedder),
        "Time them": (timed, milliseconds, track),
        "The report": (saved, text, figure),
    },
    pictures=(figure,),
)
