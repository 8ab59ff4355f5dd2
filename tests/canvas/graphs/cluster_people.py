"""Who is who in a folder of photos, and where is somebody in it?"""

from ..graph import Column, Graph, Node, note, value

detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
folder = Node(
    "LikenessEmbedFolder",
    detector=detector["detector"],
    embedder=embedder["embedder"],
    folder="",
    pattern="likeness_*",
)
bad = Node(
    "LikenessSaveReport", "Bad photos", (320, 300), report=folder["bad"], filename_prefix="reports/bad", format="none"
)
people = Node("LikenessClusterFaces", identities=folder["gallery"])
count = value("People", people["count"])
groups = Node("LikenessSaveReport", "Who is who", (320, 300), report=people["table"], filename_prefix="reports/people")
photo = Node("LoadImage", "Photo", image="likeness_grace_hopper.jpg")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
found = Node("LikenessFindIdentity", who=who["embeddings"], gallery=folder["gallery"], count=5)
name = value("Found", found["name"])
nearest = Node(
    "LikenessSaveReport", "Nearest", (320, 300), report=found["table"], filename_prefix="reports/found", format="none"
)
strangers = Node("LikenessThresholdFromStrangers", strangers=people["people"], far=0.01)
limit = value("Threshold", strangers["about"])
drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=faces["faces"])
shown = Node("PreviewImage", "Whom to find", images=drawn["image"])
about = note(
    "**A folder of photos.** Put yours into the input folder, name it on **Embed Folder** and clear the pattern. "
    "Photos without a face are listed; the others count.\n\n"
    "A face that is like two people does not make them one: it is marked *between*. ArcFace and FaceNet need a "
    "threshold of yours: **Threshold from Strangers** finds one, the better the more people there are.",
    260,
)

GRAPH = Graph(
    Column((detector, embedder), (photo,)),
    Column((folder, about), (faces,)),
    Column((people, bad), (who, drawn)),
    Column((groups, count, strangers, limit), (found, shown)),
    Column((), (nearest, name)),
    frames={
        "The folder": (detector, embedder, folder, about, people, bad, groups, count, strangers, limit),
        "Somebody in it": (photo, faces, who, drawn, found, shown, nearest, name),
    },
    pictures=(shown,),
)
