"""Somebody's face in a new photo, out of his ArcFace vector alone: Arc2Face, which needs its files and SD 1.5's."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "The person", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder", model="arcface/webface42m_r100")
adapter = Node("LikenessLoadIdentityAdapter", model="arc2face/base")
unet = Node("UNETLoader", "Arc2Face's UNet", unet_name="arc2face_unet.safetensors")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="v1-5-pruned-emaonly.safetensors")

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
words = Node(
    "LikenessIdentityPrompt",
    "Who it is",
    (300, 240),
    adapter=adapter["adapter"],
    text="photo of a id person",
    embeddings=who["embeddings"],
)
nothing = Node(
    "LikenessIdentityPrompt",
    "Negative prompt, empty",
    (300, 240),
    adapter=adapter["adapter"],
    text="",
    against="photo of a id person",
)
latent = Node("EmptyLatentImage", width=512, height=512, batch_size=1)
sampler = Node(
    "KSampler",
    model=unet["MODEL"],
    positive=words["conditioning"],
    negative=nothing["conditioning"],
    latent_image=latent["LATENT"],
    seed=1,
    steps=25,
    cfg=3.0,
    sampler_name="dpmpp_2m",
    scheduler="normal",
    denoise=1.0,
)
decoded = Node("VAEDecode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
saved = Node("SaveImage", "The new picture", images=decoded["IMAGE"], filename_prefix="likeness/arc2face")

about = note(
    "**Who is in the prompt?** The photo's identity stands where the prompt says *id*. Arc2Face was trained on this "
    "one sentence, at CFG 3, with an empty negative prompt through its own encoder.\n\nIt needs Arc2Face's UNet, its "
    "encoder and its ArcFace (the model panel brings them), and an SD 1.5 checkpoint for its VAE. Ask before you use "
    "somebody's face.",
    260,
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, embedder, faces), (unet, checkpoint)),
    Column((adapter, who, words), (nothing, latent)),
    Column((sampler, decoded), saved),
    frames={
        "Who it is": (photo, detector, embedder, faces, adapter, who, words),
        "The model, and what is nobody": (unet, checkpoint, nothing, latent),
        "The new picture": (sampler, decoded, saved),
    },
    pictures=(),
)
