"""From a clip or a folder of photos to a set that a LoRA can be trained on: pictures, captions, a contact sheet."""

from ..graph import Column, Graph, Node, note, value

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
parts = Node("GetVideoComponents", video=clip["VIDEO"])
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
landmarker = Node("LikenessLoadFaceLandmarker")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=parts["images"])
known = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=parts["images"], faces=faces["faces"])
mesh = Node("LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=parts["images"], faces=faces["faces"])
pose = Node("LikenessEstimateHeadPose", landmarks=mesh["landmarks"], missing="skip")
curated = Node(
    "LikenessCurateFaces",
    image=parts["images"],
    faces=faces["faces"],
    count=8,
    embeddings=known["embeddings"],
    head_pose=pose["head_pose"],
)
sheet = Node("PreviewImage", "Contact sheet", images=curated["sheet"])
report = value("Why", curated["report"])
crops = Node("LikenessAlignFaces", image=parts["images"], faces=curated["faces"], size=512, template="ffhq")
saved = Node(
    "LikenessSaveFaceSet",
    "The set",
    images=crops["crops"],
    captions=curated["captions"],
    filename_prefix="likeness/set/face",
)

about = note(
    "**A training set.** Strangers, small faces and pictures seen already go; of the rest the sharpest are taken, from "
    "as many sides as there are. Each picture is saved with a text file of its name.\n\n"
    "Ask before you train on somebody's face."
)

GRAPH = Graph(
    Column(clip, about),
    Column((parts, detector, embedder, landmarker)),
    Column((faces, known)),
    Column((mesh, pose)),
    Column(curated, report),
    Column(sheet),
    Column(crops),
    Column(saved),
    frames={"Look": (faces, known, mesh, pose), "Choose": (curated, sheet, report), "Save": (crops, saved)},
    pictures=(sheet,),
)
