"""The best stills of a clip: the frames that are most like the person whom all frames together show."""

from ..graph import Column, Graph, Node, note, value

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
parts = Node("GetVideoComponents", video=clip["VIDEO"])
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=parts["images"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=parts["images"], faces=faces["faces"])
tracked = Node("LikenessTrackFaces", image=parts["images"], faces=faces["faces"], embeddings=who["embeddings"])
clear = Node("LikenessRecognizability", embedder=embedder["embedder"], embeddings=who["embeddings"], least=0.5)
lowest = value("Lowest index", clear["lowest"])
fused = Node(
    "LikenessFuseIdentity",
    embeddings=who["embeddings"],
    by="track",
    faces=tracked["faces"],
    image=parts["images"],
)
ranked = Node(
    "LikenessRankByIdentity",
    image=parts["images"],
    embeddings=clear["embeddings"],
    reference=fused["identity"],
    keep=3,
)
best = Node("PreviewImage", "Best stills", images=ranked["image"])
order = Node(
    "LikenessSaveReport", "Order", (320, 420), report=ranked["table"], filename_prefix="reports/order", format="none"
)
counted = Node(
    "LikenessSaveReport", "Faces", (320, 420), report=fused["table"], filename_prefix="reports/fused", format="none"
)
rejected = value("Rejected", fused["rejected"])
about = note(
    "**Best of N.** All frames of a person become one identity: sharp, large faces count more, strangers not at all. "
    "Then each frame in which the face "
    "is recognisable is ranked by how like it is.\n\n"
    "Put a batch from a sampler in the place of the clip and a photo's identity in the place of the fused one: the "
    "result that is most like comes first.",
    220,
)

GRAPH = Graph(
    Column(clip),
    Column((parts, detector, embedder)),
    Column((faces, about)),
    Column((who, tracked)),
    Column((fused, rejected, counted, clear, lowest), top=60),
    Column((ranked, best)),
    Column((order,)),
    frames={
        "The clip": (clip, parts, detector, embedder, faces, about),
        "Who is in it": (who, tracked, fused, rejected, counted, clear, lowest),
        "The frames most like them": (ranked, best, order),
    },
    pictures=(best,),
)
