"""Two people in one picture, each where a mask says, by FaceChain-FACT twice; it needs an SD 1.5 checkpoint."""

from ..graph import Column, Graph, Node, note

detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser", model="selfie_segmentation/general")
adapter = Node("LikenessLoadIdentityAdapter", model="facechain_fact/maj")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="majicmixRealistic_v6.safetensors")


def person(title: str, file: str, model: object, mask: Node) -> tuple[Node, ...]:
    """Somebody's photo, and the model that shows him where a mask is."""
    photo = Node("LoadImage", title, image=file)
    faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
    head = Node(
        "LikenessParseFaces", f"{title}: outline", parser=parser["parser"], image=photo["IMAGE"], regions="person"
    )
    shown = Node(
        "LikenessApplyIdentityAdapter",
        title,
        model=model,
        adapter=adapter["adapter"],
        weight=0.5,
        image=photo["IMAGE"],
        faces=faces["faces"],
        head_mask=head["mask"],
        mask=mask["MASK"],
    )
    return photo, faces, head, shown


# The left and the right half of the picture, which fade into each other in the middle.
half = Node("SolidMask", "The right half", value=1.0, width=384, height=512)
whole = Node("SolidMask", "An empty picture", value=0.0, width=768, height=512)
right = Node("MaskComposite", "Right", destination=whole["MASK"], source=half["MASK"], x=384, y=0, operation="add")
left = Node("InvertMask", "Left", mask=right["MASK"])
first = person("On the left", "likeness_astronaut.png", checkpoint["MODEL"], left)
second = person("On the right", "likeness_grace_hopper.jpg", first[-1]["model"], right)

words = Node(
    "CLIPTextEncode", "Prompt", (300, 160), clip=checkpoint["CLIP"], text="two people side by side, portrait, studio"
)
others = Node(
    "CLIPTextEncode", "Negative prompt", (300, 160), clip=checkpoint["CLIP"], text="lowres, bad anatomy, worst quality"
)
latent = Node("EmptyLatentImage", width=768, height=512, batch_size=1)
sampler = Node(
    "KSampler",
    model=second[-1]["model"],
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
saved = Node("SaveImage", "The new picture", images=decoded["IMAGE"], filename_prefix="likeness/two_people")
about = note(
    "**Who is where?** One Apply Identity Adapter for each person, one after another, each with a mask in the shape of "
    "the new picture: outside it the person changes nothing. Draw your own in the mask editor.\n\n"
    "Any adapter can take the place of any other here, also a different one for each person.",
    260,
)

GRAPH = Graph(
    Column(first[0], second[0]),
    Column((detector, parser, adapter), checkpoint),
    Column(first[1:3], second[1:3]),
    Column((half, whole), (right, left)),
    Column(first[3], second[3]),
    Column((words, others), (latent, about)),
    Column((sampler, decoded), saved),
    frames={
        "Two people": (first[0], second[0], detector, parser, adapter, checkpoint, *first[1:3], *second[1:3]),
        "Who is where": (half, whole, right, left, first[3], second[3]),
        "What the picture shows": (words, others, latent, about),
        "The new picture": (sampler, decoded, saved),
    },
    pictures=(),
)
