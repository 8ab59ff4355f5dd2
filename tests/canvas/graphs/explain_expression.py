"""What in this face makes it this person, and do people read expressions by the same parts?"""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
landmarker = Node("LikenessLoadFaceLandmarker")
embedder = Node("LikenessLoadFaceEmbedder")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
points = Node("LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"])
explained = Node(
    "LikenessExplainFace",
    model=embedder["embedder"],
    image=photo["IMAGE"],
    faces=points["faces"],
    method="occlusion",
)
overlay = Node("PreviewImage", "Who it is hangs on this", images=explained["overlay"])
warped = Node(
    "LikenessWarpToCanonicalFace",
    image=explained["overlay"],
    landmarks=points["landmarks"],
    mask=explained["heat_map"],
)
canonical = Node("PreviewImage", "On the canonical face", images=warped["image"])
masks = Node("LikenessExpressionMask", "Expression Mask: all six", expression="all")
compared = Node(
    "LikenessCompareHeatMaps",
    heat_maps=warped["mask"],
    masks=masks["mask"],
    pairs="each with each",
    average=False,
    names="identity",
    mask_names=masks["names"],
)
saved = Node(
    "LikenessSaveReport", "Save it", (420, 640), report=compared["report"], filename_prefix="reports/explained"
)
text = Node("PreviewAny", "Report", (420, 420), source=saved["markdown"])
joy = Node(
    "LikenessExpressionMask", "Expression Mask: on the photo", expression="happiness", landmarks=points["landmarks"]
)
drawn = Node(
    "LikenessDrawFaces",
    image=photo["IMAGE"],
    faces=points["faces"],
    boxes=False,
    labels=False,
    points=False,
    mask=joy["mask"],
)
shown = Node("PreviewImage", "Happiness is read by this", images=drawn["image"])
answer = value("Compared to", explained["answer"])
about = note(
    "**Why?** A patch at a time is hidden: where the vector of the face moves most, the map is hot.\n\n"
    "The masks are the parts that people read an expression by. For an expression classifier of your own, an .onnx in "
    "models/face_classifier, put *Load Face Classifier* in the embedder's place: then it says why it is happiness.",
    260,
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, landmarker, embedder), top=100),
    Column((faces, points)),
    Column((explained, answer), joy),
    Column(overlay, drawn),
    Column((warped, masks), shown),
    Column(canonical),
    Column((compared,)),
    Column((saved,)),
    Column((text,)),
    frames={
        "Photo": (photo, about),
        "Models": (detector, landmarker, embedder),
        "Find the face": (faces, points),
        "Who it is: what does it hang on?": (explained, answer, overlay),
        "Happiness: what is it read by?": (joy, drawn, shown),
        "On one canonical face": (warped, masks, canonical),
        "Do they agree?": (compared, saved, text),
    },
    pictures=(overlay, canonical, shown),
)
