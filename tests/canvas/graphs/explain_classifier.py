"""What does a classifier of your own look at? Its answer, its heat map, and the same on every face of a picture."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_two_people.jpg")
detector = Node("LikenessLoadFaceDetector")
landmarker = Node("LikenessLoadFaceLandmarker")
classifier = Node("LikenessLoadFaceClassifier", model="your_expressions.onnx")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
points = Node("LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"])
explained = Node(
    "LikenessExplainFace",
    model=classifier["classifier"],
    image=photo["IMAGE"],
    faces=points["faces"],
    method="occlusion",
)
overlay = Node("PreviewImage", "What the answer hangs on", images=explained["overlay"])
answer = value("Answers", explained["answer"])
warped = Node(
    "LikenessWarpToCanonicalFace",
    image=explained["overlay"],
    landmarks=points["landmarks"],
    mask=explained["heat_map"],
)
canonical = Node("PreviewImage", "On the canonical face", images=warped["image"])
back = Node(
    "LikenessUnwarpCanonicalFace",
    "Put back on the faces",
    mask=warped["mask"],
    landmarks=points["landmarks"],
    image=warped["image"],
)
again = Node("PreviewImage", "Back on the faces", images=back["image"])
about = note(
    "**Why does it say so?** Put the .onnx file of your classifier in models/face_classifier and write its labels in "
    "their order: the file does not say them.\n\n"
    "On the canonical face the heat maps of many photos can be averaged or compared with the parts that people read "
    "an expression by; *Unwarp* puts what lies there back on any face.",
    260,
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, landmarker), (classifier,)),
    Column((faces, points)),
    Column((explained, answer)),
    Column((overlay,)),
    Column((warped,), (back,)),
    Column((canonical,), (again,)),
    frames={
        "Photo": (photo, about),
        "Models": (detector, landmarker, classifier),
        "Find the faces": (faces, points),
        "Ask your classifier": (explained, answer, overlay),
        "On the canonical face, and back": (warped, canonical, back, again),
    },
    pictures=(),  # the classifier is yours
)
