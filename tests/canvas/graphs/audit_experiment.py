"""Are people of one group confused more often by a face encoder? Faces made for it, with one change at a time."""

from ..graph import Column, Graph, Node, note, value

designed = Node(
    "LikenessDesignExperiment",
    "",
    (420, 460),
    prompt="studio photo of a {who}, {light}, plain background",
    groups="who: woman, man",
    factors="light: soft light, hard light",
    seeds=2,
)
levels = Node("LikenessTableColumn", "What each face shows", table=designed["design"], column="level")
listed = Node("PreviewAny", "Levels", (300, 160), source=levels["values"])
count = value("Faces to make", designed["count"])
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="your_checkpoint.safetensors")
words = Node("CLIPTextEncode", "A prompt per face", (300, 120), clip=checkpoint["CLIP"], text=designed["prompts"])
others = Node(
    "CLIPTextEncode", "Negative prompt", (300, 120), clip=checkpoint["CLIP"], text="lowres, bad anatomy, worst quality"
)
latent = Node("EmptyLatentImage", width=512, height=512, batch_size=1)
sampler = Node(
    "KSampler",
    model=checkpoint["MODEL"],
    positive=words["CONDITIONING"],
    negative=others["CONDITIONING"],
    latent_image=latent["LATENT"],
    seed=designed["seeds"],
    steps=20,
    cfg=6.0,
    sampler_name="dpmpp_2m",
    scheduler="karras",
    denoise=1.0,
)
decoded = Node("VAEDecode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
batch = Node("RebatchImages", images=decoded["IMAGE"], batch_size=4096)
faces_made = Node("PreviewImage", "All faces, in the design's order", images=batch["IMAGE"])

detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=batch["IMAGE"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=batch["IMAGE"], faces=faces["faces"])
pairs = Node("LikenessPairFaces", embeddings=who["embeddings"], design=designed["design"])
lost = value("Left out", pairs["lost"])
bias = Node("LikenessBiasReport", pairs=pairs["pairs"], fmr=0.01, small=2)
saved = Node("LikenessSaveReport", "Save it", (420, 640), report=bias["report"], filename_prefix="reports/experiment")
text = Node("PreviewAny", "Report", (420, 420), source=saved["markdown"])
about = note(
    "**One thing at a time.** A prompt and a seed for every face: the words and the sampler run once for each, Rebatch "
    "Images joins the pictures in the design's order, and Pair Faces compares all within each group.\n\n"
    "Two seeds show how it goes; take a hundred for a result, and let people judge whether a changed face is still "
    "the same person: without that the report says what it cannot know.",
    280,
)

GRAPH = Graph(
    Column(designed, about),
    Column((levels, listed, count)),
    Column(checkpoint, words, (others, latent)),
    Column(sampler, (decoded, batch)),
    Column(faces_made, (detector, embedder)),
    Column((faces, who, pairs, lost)),
    Column((bias, saved)),
    Column((text,)),
    frames={
        "What faces to make": (designed, about, levels, listed, count),
        "Make them": (checkpoint, words, others, latent, sampler, decoded, batch),
        "Who is whom": (faces_made, detector, embedder, faces, who, pairs, lost),
        "The report": (bias, saved, text),
    },
    pictures=(),  # the faces are not made here
)
