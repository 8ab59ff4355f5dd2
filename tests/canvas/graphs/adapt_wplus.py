"""A smiling person in what the sampler makes, by the W+ adapter; it needs an SD 1.5 checkpoint and the weights."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "The person", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser", model="selfie_segmentation/general")
embedder = Node("LikenessLoadFaceEmbedder", model="e4e/ffhq")
adapter = Node("LikenessLoadIdentityAdapter", model="wplus_adapter/stage2")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="v1-5-pruned-emaonly-fp16.safetensors")

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
head = Node(
    "LikenessParseFaces", "The person's outline", parser=parser["parser"], image=photo["IMAGE"], regions="person"
)
code = Node(
    "LikenessEmbedFaces",
    "The person's code",
    embedder=embedder["embedder"],
    image=photo["IMAGE"],
    faces=faces["faces"],
    head_mask=head["mask"],
)
edited = Node("LikenessEditFaceCode", embeddings=code["embeddings"], edit="interfacegan/smile", strength=2.0)
preview = Node("LikenessPreviewFaceCode", embedder=embedder["embedder"], embeddings=edited["embeddings"])
seen = Node("PreviewImage", "What the code shows", images=preview["image"])

words = Node("CLIPTextEncode", "Prompt", (300, 120), clip=checkpoint["CLIP"], text="a woman wearing a spacesuit")
others = Node(
    "CLIPTextEncode",
    "Negative prompt",
    (300, 120),
    clip=checkpoint["CLIP"],
    text="monochrome, lowres, bad anatomy, worst quality, low quality",
)
latent = Node("EmptyLatentImage", width=512, height=512, batch_size=1)

shown = Node(
    "LikenessApplyIdentityAdapter",
    model=checkpoint["MODEL"],
    adapter=adapter["adapter"],
    weight=1.0,
    start_percent=0.23,
    embeddings=edited["embeddings"],
)
freed = Node("FreeU", "As published: FreeU", model=shown["model"], b1=1.1, b2=1.2, s1=0.6, s2=0.4)
sampler = Node(
    "KSampler",
    model=freed["MODEL"],
    positive=words["CONDITIONING"],
    negative=others["CONDITIONING"],
    latent_image=latent["LATENT"],
    seed=23,
    steps=30,
    cfg=7.5,
    sampler_name="euler",
    scheduler="normal",
    denoise=1.0,
)
decoded = Node("VAEDecode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
saved = Node("SaveImage", "The new picture", images=decoded["IMAGE"], filename_prefix="likeness/wplus")

about = note(
    "**The photo becomes a code of StyleGAN2**, which is edited before it is sampled: here she smiles a little more. "
    "The preview shows what the code holds; the model sees it after seven steps.\n\nIt needs an SD 1.5 "
    "checkpoint and weights that are not for commercial use: the model panel brings them. Ask before you use "
    "somebody's face.",
    260,
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, parser, embedder), checkpoint),
    Column((faces, head, code), (words, others)),
    Column((edited, preview, seen), latent),
    Column((adapter, shown, freed), (sampler, decoded)),
    Column((), saved),
    frames={
        "The person": (
            photo,
            detector,
            parser,
            embedder,
            faces,
            head,
            code,
            edited,
            preview,
            seen,
            adapter,
            shown,
            freed,
        ),
        "What the picture shows": (checkpoint, words, others, latent),
        "The new picture": (sampler, decoded, saved),
    },
    pictures=(),
)
