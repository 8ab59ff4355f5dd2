"""The same person with another expression: Arc2Face with its expression adapter, which takes 55 numbers of a face."""

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
expressions = Node("LikenessLoadIdentityAdapter", "Load Expression Adapter", model="arc2face/expression")
numbers = Node(
    "LikenessExpressionParameters", "The expression", (300, 260), expression="1.5 0.5", eyelids=0.3, jaw_open=0.15
)
shown = Node(
    "LikenessApplyIdentityAdapter",
    "Show the expression",
    model=unet["MODEL"],
    adapter=expressions["adapter"],
    weight=1.0,
    embeddings=numbers["expression"],
)
sampler = Node(
    "KSampler",
    model=shown["model"],
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
saved = Node("SaveImage", "The new picture", images=decoded["IMAGE"], filename_prefix="likeness/arc2face_expression")

about = note(
    "**Which expression?** 55 numbers: FLAME's expression, the eyelids and the jaw. SMIRK reads them off a face (save "
    "them with numpy.save and name the file), or set them by hand. The identity stands in the prompt as without "
    "it.\n\nIt needs Arc2Face's files and an SD 1.5 checkpoint: the model panel says where they are.",
    260,
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, embedder, faces), (unet, checkpoint)),
    Column((adapter, who, words), (nothing, latent)),
    Column((expressions, numbers, shown)),
    Column((sampler, decoded), saved),
    frames={
        "Who it is": (photo, detector, embedder, faces, adapter, who, words),
        "Which expression": (expressions, numbers, shown),
        "The model, and what is nobody": (unet, checkpoint, nothing, latent),
        "The new picture": (sampler, decoded, saved),
    },
    pictures=(),
)
