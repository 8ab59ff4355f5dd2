"""The best of eight pictures of a person, by an encoder that the adapter did not use; it needs an SD 1.5 checkpoint."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "The person", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser", model="selfie_segmentation/general")
adapter = Node("LikenessLoadIdentityAdapter", model="facechain_fact/maj")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="majicmixRealistic_v6.safetensors")
judge = Node("LikenessLoadFaceEmbedder", "The judge: not what the adapter reads faces by", model="dlib_resnet/v1")

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
head = Node(
    "LikenessParseFaces", "The person's outline", parser=parser["parser"], image=photo["IMAGE"], regions="person"
)
shown = Node(
    "LikenessApplyIdentityAdapter",
    model=checkpoint["MODEL"],
    adapter=adapter["adapter"],
    weight=0.5,
    image=photo["IMAGE"],
    faces=faces["faces"],
    head_mask=head["mask"],
)
words = Node("CLIPTextEncode", "Prompt", (300, 160), clip=checkpoint["CLIP"], text="portrait of a person, best quality")
others = Node(
    "CLIPTextEncode", "Negative prompt", (300, 160), clip=checkpoint["CLIP"], text="lowres, bad anatomy, worst quality"
)
latent = Node("EmptyLatentImage", "Eight of them", width=512, height=512, batch_size=8)
sampler = Node(
    "KSampler",
    model=shown["model"],
    positive=words["CONDITIONING"],
    negative=others["CONDITIONING"],
    latent_image=latent["LATENT"],
    seed=1,
    steps=30,
    cfg=5.0,
    sampler_name="euler",
    scheduler="normal",
    denoise=1.0,
)
decoded = Node("VAEDecode", samples=sampler["LATENT"], vae=checkpoint["VAE"])

made = Node(
    "LikenessDetectFaces", "Faces that were made", detector=detector["detector"], image=decoded["IMAGE"], max_faces=1
)
theirs = Node(
    "LikenessEmbedFaces", "Who was made", embedder=judge["embedder"], image=decoded["IMAGE"], faces=made["faces"]
)
person = Node(
    "LikenessEmbedFaces", "Who it should be", embedder=judge["embedder"], image=photo["IMAGE"], faces=faces["faces"]
)
ranked = Node(
    "LikenessRankByIdentity",
    image=decoded["IMAGE"],
    embeddings=theirs["embeddings"],
    reference=person["embeddings"],
    keep=1,
)
saved = Node("SaveImage", "The best", images=ranked["image"], filename_prefix="likeness/best_of")
order = Node(
    "LikenessSaveReport", "Order", (320, 420), report=ranked["table"], filename_prefix="reports/best_of", format="none"
)
about = note(
    "**Which one is most like?** An adapter pleases the encoder that it was trained with, so another one judges: the "
    "shipped dlib here. The order lists all eight; a picture without a face comes last.",
    180,
)

GRAPH = Graph(
    Column(photo),
    Column((detector, parser, adapter), checkpoint),
    Column((faces, head), words),
    Column(shown, (others, latent)),
    Column((sampler, decoded), about),
    Column((judge, person, made, theirs)),
    Column((ranked, saved)),
    Column((order,)),
    frames={
        "The person": (photo, detector, parser, adapter, faces, head, shown),
        "What the picture shows": (checkpoint, words, others, latent),
        "Eight pictures": (sampler, decoded, about),
        "The most like": (judge, person, made, theirs, ranked, saved, order),
    },
    pictures=(),
)
