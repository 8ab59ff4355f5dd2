"""Do two photos show the same person? Asked of two encoders that were trained apart."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
second = Node("LoadImage", "Second photo", image="likeness_grace_hopper.jpg")


def judge(detector: str, embedder: str, threshold: float) -> dict[str, Node]:
    """The nodes that ask one pair of networks."""
    finder = Node("LikenessLoadFaceDetector", "", model=detector)
    encoder = Node("LikenessLoadFaceEmbedder", "", model=embedder)
    nodes = {"finder": finder, "encoder": encoder}
    for name, shown in (("first", photo), ("other", second)):
        faces = Node("LikenessDetectFaces", detector=finder["detector"], image=shown["IMAGE"], threshold=0.6)
        who = Node("LikenessEmbedFaces", embedder=encoder["embedder"], image=shown["IMAGE"], faces=faces["faces"])
        nodes |= {f"{name}_faces": faces, f"{name}_who": who}
    first, other = nodes["first_who"]["embeddings"], nodes["other_who"]["embeddings"]
    return nodes | {"compared": Node("LikenessCompareFaces", a=first, b=other, threshold=threshold)}


arcface = judge("scrfd/10g_bnkps", "arcface/w600k_r50", 0.3)
facenet = judge("mtcnn/facenet_pytorch", "facenet/vggface2", 0.5)

drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=facenet["first_faces"]["faces"])
second_drawn = Node("LikenessDrawFaces", image=second["IMAGE"], faces=facenet["other_faces"]["faces"])
face = Node("PreviewImage", "Face", images=drawn["image"])
second_face = Node("PreviewImage", "Second face", images=second_drawn["image"])
arcface_says = value("ArcFace: similarity", arcface["compared"]["similarity"])
arcface_verdict = value("ArcFace: same person", arcface["compared"]["same_person"])
facenet_says = value("FaceNet: similarity", facenet["compared"]["similarity"])
facenet_verdict = value("FaceNet: same person", facenet["compared"]["same_person"])
about = note(
    "**Two judges.** ArcFace looks at a face turned upright by SCRFD's points, FaceNet at the box that MTCNN found. "
    "They were trained on other data and another way: where a picture was made with the one, ask the other.\n\n"
    "Nobody publishes a threshold for these weights. The ones on **Compare Faces** are starting points: find your own "
    "with photos of people whom you know.",
    260,
)
weights = note(
    "**Weights.** InsightFace's (SCRFD, ArcFace) are for non-commercial research only; FaceNet's state no licence. "
    "The loaders say how to get them."
)

GRAPH = Graph(
    Column(photo, second),
    Column((arcface["finder"], arcface["encoder"]), (facenet["finder"], facenet["encoder"]), top=100),
    Column((arcface["first_faces"], arcface["other_faces"]), (facenet["first_faces"], facenet["other_faces"])),
    Column((arcface["first_who"], arcface["other_who"]), (facenet["first_who"], facenet["other_who"])),
    Column(arcface["compared"], facenet["compared"]),
    Column((arcface_says, arcface_verdict), (facenet_says, facenet_verdict)),
    Column(about, (drawn, second_drawn)),
    Column(face, second_face),
    Column(weights),
    frames={
        "Photos": (photo, second),
        "SCRFD and ArcFace": (*arcface.values(), arcface_says, arcface_verdict),
        "MTCNN and FaceNet": (*facenet.values(), facenet_says, facenet_verdict),
        "What MTCNN found": (drawn, second_drawn, face, second_face),
    },
    pictures=(face, second_face),
)
