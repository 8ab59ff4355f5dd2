"""People between two people: mixed, on the way from one to the other, a little beside; kept in a file and found."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
second = Node("LoadImage", "Second photo", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
second_faces = Node("LikenessDetectFaces", detector=detector["detector"], image=second["IMAGE"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
second_who = Node(
    "LikenessEmbedFaces", embedder=embedder["embedder"], image=second["IMAGE"], faces=second_faces["faces"]
)
mixed = Node("LikenessMixIdentities", a=who["embeddings"], b=second_who["embeddings"], weights="2, 1")
way = Node("LikenessInterpolateIdentities", a=who["embeddings"], b=second_who["embeddings"], steps=5)
beside = Node("LikenessPerturbIdentity", identity=mixed["identity"], degrees=4.0, count=3, direction_seed=0)
compared = Node("LikenessCompareFaces", a=way["identities"], b=beside["identities"])
distances = Node("PreviewAny", "Distances", (300, 200), source=compared["distances"])
kept = Node(
    "LikenessSaveIdentity",
    "Keep them",
    (320, 320),
    identities=way["identities"],
    filename_prefix="identities/way",
    names="astronaut\na quarter on\nhalf way\nthree quarters on\nGrace Hopper",
    note="Two shipped photos, public domain.",
)
loaded = Node("LikenessLoadIdentity", file=kept["file"])
about_file = Node("PreviewAny", "About the file", (320, 200), source=loaded["about"])
found = Node("LikenessFindIdentity", who=mixed["identity"], gallery=loaded["gallery"], count=5)
name = value("Nearest to the mix", found["name"])
crop = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=faces["faces"])
second_crop = Node("LikenessAlignFaces", image=second["IMAGE"], faces=second_faces["faces"])
face = Node("PreviewImage", "Face", images=crop["crops"])
second_face = Node("PreviewImage", "Second face", images=second_crop["crops"])
about = note(
    "**Identities are points on a sphere.** A mix lies between its people, a perturbed one at a chosen angle beside. "
    "Anything that takes embeddings takes these.\n\n"
    "The file keeps the space, its threshold, and which weights made it under which terms. Face models of ReActor and "
    ".npy files load too: connect the embedder that made them.",
    240,
)

GRAPH = Graph(
    Column(photo, second),
    Column((detector, embedder), top=100),
    Column(faces, second_faces),
    Column(crop, second_crop),
    Column(face, second_face),
    Column(who, second_who),
    Column((mixed, beside, compared, distances), (way, about)),
    Column((kept, loaded, about_file), (found, name)),
    frames={
        "Photos": (photo, second),
        "Models": (detector, embedder),
        "Who are they?": (faces, second_faces, crop, second_crop, face, second_face, who, second_who),
        "People between them": (mixed, beside, compared, distances, way, about),
        "Kept and found": (kept, loaded, about_file, found, name),
    },
    pictures=(face, second_face),
)
