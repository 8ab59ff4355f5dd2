"""How real does a face look to FSFM: scores, vectors of how a picture was made, and patches that it learned from."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
other = Node("LoadImage", "Another", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
analyzer = Node("LikenessLoadFaceAnalyzer", "Load Face Analyzer: FSFM", model="fsfm_detectors/unified")
embedder = Node("LikenessLoadFaceEmbedder", "Load Face Embedder: FSFM", model="fsfm/vf2_vit_b")
parser = Node("LikenessLoadFaceParser", model="mesh_regions/attention")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
others = Node("LikenessDetectFaces", detector=detector["detector"], image=other["IMAGE"])
told = Node("LikenessAnalyzeFaces", analyzer=analyzer["analyzer"], image=photo["IMAGE"], faces=faces["faces"])
table = Node("PreviewAny", "Scores", (300, 200), source=told["table"])
sure = Node("LikenessSelectByAttributes", attributes=told["attributes"], conditions="score_real > 0.9")
count = value("Faces with a real score over 0.9", sure["count"])
one = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
two = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=other["IMAGE"], faces=others["faces"])
compared = Node("LikenessCompareFaces", a=one["embeddings"], b=two["embeddings"], threshold=0.9)
alike = value("Made alike (cosine)", compared["similarity"])
parsed = Node("LikenessParseFaces", parser=parser["parser"], image=photo["IMAGE"], faces=faces["faces"], regions="face")


def hidden(region: str, seed: int) -> tuple[Node, Node, Node]:
    """A region hidden with its share of the others, and where that is shown."""
    node = Node(
        "LikenessMaskFacePatches",
        f"Hide {region}",
        parsing=parsed["parsing"],
        image=photo["IMAGE"],
        region=region,
        ratio=0.75,
        mask_seed=seed,
    )
    plain = {"boxes": False, "labels": False, "points": False}
    drawing = Node(
        "LikenessDrawFaces", image=photo["IMAGE"], faces=faces["faces"], mask=node["image_mask"], opacity=0.85, **plain
    )
    shown = Node("SaveImage", f"Hidden: {region}", images=drawing["image"], filename_prefix=f"likeness/hidden_{region}")
    return node, drawing, shown


eyes, eyes_drawn, eyes_shown = hidden("eyes", 1)
boundary, boundary_drawn, boundary_shown = hidden("boundary", 2)

drawings = (eyes, boundary, eyes_drawn, boundary_drawn, eyes_shown, boundary_shown)
about = note(
    "**Scores, no verdict.** Four shares that sum to 1: real, deepfake, made by a diffusion model, a spoof before the "
    "camera. How far to trust them *Spoof Report* says, on pictures like yours.\n\n"
    "The weights are CC BY-NC 4.0: not for commercial use.",
    240,
)
learned = note(
    "**How it learned.** Three quarters of each face were hidden: one region as a whole, and the same share of all "
    "others.",
    160,
)

GRAPH = Graph(
    Column((photo, other, about)),
    Column((detector, analyzer, embedder, parser), top=100),
    Column((faces, others), learned),
    Column((told, one, two), parsed),
    Column((table, sure, compared), (eyes, boundary)),
    Column((count, alike), (eyes_drawn, boundary_drawn)),
    Column((), (eyes_shown,)),
    Column((), (boundary_shown,)),
    frames={
        "How real does it look, and are two made alike?": (told, table, sure, count, one, two, compared, alike),
        "The patches it learned from": (learned, parsed, *drawings),
    },
    pictures=(eyes_shown, boundary_shown),
)
