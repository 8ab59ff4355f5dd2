"""A person in what the sampler makes, by FaceChain-FACT; it needs an SD 1.5 checkpoint and the adapter's weights."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "The person", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser", model="selfie_segmentation/general")
adapter = Node("LikenessLoadIdentityAdapter", model="facechain_fact/maj")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="majicmixRealistic_v6.safetensors")

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
head = Node(
    "LikenessParseFaces", "The person's outline", parser=parser["parser"], image=photo["IMAGE"], regions="person"
)
words = Node("CLIPTextEncode", "Prompt", (300, 160), clip=checkpoint["CLIP"], text="portrait of a person, best quality")
others = Node(
    "CLIPTextEncode", "Negative prompt", (300, 160), clip=checkpoint["CLIP"], text="lowres, bad anatomy, worst quality"
)
latent = Node("EmptyLatentImage", width=512, height=512, batch_size=1)

shown = Node(
    "LikenessApplyIdentityAdapter",
    model=checkpoint["MODEL"],
    adapter=adapter["adapter"],
    weight=0.5,
    image=photo["IMAGE"],
    faces=faces["faces"],
    head_mask=head["mask"],
)
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
saved = Node("SaveImage", "The new picture", images=decoded["IMAGE"], filename_prefix="likeness/fact")

about = note(
    "**Whose portrait?** The face in the photo becomes tokens that every block of the model sees; the prompt says the "
    "rest.\n\nIt needs an SD 1.5 checkpoint (majicmixRealistic_v6, on which it was trained, or another) and the "
    "adapter's files: the model panel says where they are. Ask before you use somebody's face.",
    260,
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, parser, adapter), checkpoint),
    Column((faces, head), words),
    Column(shown, (others, latent)),
    Column((sampler, decoded), saved),
    frames={
        "The person": (photo, detector, parser, adapter, faces, head, shown),
        "What the picture shows": (checkpoint, words, others, latent),
        "The new picture": (sampler, decoded, saved),
    },
    pictures=(),
)
