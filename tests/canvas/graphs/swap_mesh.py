"""One person's face on another, by a mesh: no network makes anything up."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
source = Node("LoadImage", "Photo of the new face", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
swapper = Node("LikenessLoadFaceSwapper")
embedder = Node("LikenessLoadFaceEmbedder")
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
saved = Node("SaveImage", "Swapped", images=swapped["image"], filename_prefix="likeness/swapped")

drawn = Node(
    "LikenessDrawFaces",
    "Draw the mask",
    image=photo["IMAGE"],
    faces=faces["faces"],
    boxes=False,
    labels=False,
    points=False,
    mask=swapped["mask"],
)
mask = Node("PreviewImage", "What changes", images=drawn["image"])

new = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=swapped["image"], faces=faces["faces"])
wanted = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=source["IMAGE"], faces=source_faces["faces"])
old = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
to_source = Node("LikenessCompareFaces", "To the new face", a=new["embeddings"], b=wanted["embeddings"])
to_target = Node("LikenessCompareFaces", "To the old face", a=new["embeddings"], b=old["embeddings"])
near = value("Distance to the new face", to_source["distance"])
far = value("Distance to the old face", to_target["distance"])

about = note(
    "**Whose face is it now?** Below the swap its identity is measured: nearer to the new face than to "
    "the old one.\n\nPixels outside the mask are those of the photo, bit for bit. Ask before you use somebody's face."
)

GRAPH = Graph(
    Column(photo, source),
    Column((detector, swapper), (embedder, about), top=100),
    Column(faces, source_faces),
    Column(swapped, (wanted, new, old)),
    Column(saved, (to_source, to_target)),
    Column(drawn, (near, far)),
    Column(mask),
    frames={
        "Photos": (photo, source),
        "Swap": (faces, swapped, saved, drawn, mask),
        "Whose face is it now?": (source_faces, wanted, new, old, to_source, to_target, near, far),
    },
    pictures=(saved,),
)
