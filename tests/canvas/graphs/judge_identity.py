"""Is a swapped face still the person? Asked of an encoder that had no part in it."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
source = Node("LoadImage", "Photo of the new face", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
swapper = Node("LikenessLoadFaceSwapper")
generator = Node("LikenessLoadFaceEmbedder", "Encoder of the generator", model="stylegan_encoders/ir50")
encoder = Node("LikenessLoadFaceEmbedder", "Judge")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
source_faces = Node("LikenessDetectFaces", detector=detector["detector"], image=source["IMAGE"])
swapped = Node(
    "LikenessSwapFaces",
    swapper=swapper["swapper"],
    image=photo["IMAGE"],
    faces=faces["faces"],
    source_image=source["IMAGE"],
    source_faces=source_faces["faces"],
)
new_faces = Node("LikenessDetectFaces", "Detect new faces", detector=detector["detector"], image=swapped["image"])
used = Node(
    "LikenessEmbedFaces",
    "Identity given",
    embedder=generator["embedder"],
    image=source["IMAGE"],
    faces=source_faces["faces"],
)
reference = Node(
    "LikenessEmbedFaces", "Reference", embedder=encoder["embedder"], image=source["IMAGE"], faces=source_faces["faces"]
)
made = Node(
    "LikenessEmbedFaces", "Made", embedder=encoder["embedder"], image=swapped["image"], faces=new_faces["faces"]
)
judged = Node(
    "LikenessJudgeIdentity",
    generated=made["embeddings"],
    reference=reference["embeddings"],
    used=used["embeddings"],
)
shown = Node("PreviewImage", "What was made", images=swapped["image"])
score = value("Score", judged["score"])
accepted = value("Accepted", judged["accepted"])
report = Node(
    "LikenessSaveReport", "Verdict", (340, 460), report=judged["report"], filename_prefix="reports/judge", format="none"
)
about = note(
    "**A judge of its own.** A generator that was given an identity of one encoder pleases that encoder; ask another. "
    "The mesh swap here uses none, so another encoder stands in for that of yours: put any generator in the swap's "
    "place and connect the identity that it was given.\n\n"
    "The judge's own encoder on both sides is refused.",
    240,
)

GRAPH = Graph(
    Column(photo, source),
    Column((detector, swapper), (generator, encoder)),
    Column((faces,), (source_faces, about)),
    Column((swapped, shown), (used,)),
    Column((new_faces,), (reference, made)),
    Column((judged, score, accepted)),
    Column((report,)),
    frames={
        "Photos": (photo, source),
        "Models": (detector, swapper, generator, encoder),
        "The generator": (faces, source_faces, about, swapped, shown, used),
        "The judge": (new_faces, reference, made, judged, score, accepted, report),
    },
    pictures=(shown,),
)
