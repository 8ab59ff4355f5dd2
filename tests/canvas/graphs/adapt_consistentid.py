"""A person in what the sampler makes, by ConsistentID; it needs an SD 1.5 checkpoint, CLIP-ViT-H and the weights."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "The person", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser", model="mesh_regions/attention")
embedder = Node("LikenessLoadFaceEmbedder", model="arcface/w600k_r50")
vision = Node("CLIPVisionLoader", "Load CLIP Vision", clip_name="CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors")
adapter = Node("LikenessLoadIdentityAdapter", model="consistentid/v1")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="v1-5-pruned-emaonly.safetensors")
text = Node(
    "PrimitiveStringMultiline",
    "Prompt",
    (300, 160),
    value="cinematic photo, a woman, in a forest, adventuring, half-length portrait, bokeh, highly detailed",
)

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
parts = Node(
    "LikenessParseFaces",
    "The parts of the face",
    parser=parser["parser"],
    image=photo["IMAGE"],
    regions="all",
    faces=faces["faces"],
)
identity = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
person = {
    "adapter": adapter["adapter"],
    "image": photo["IMAGE"],
    "faces": faces["faces"],
    "parsing": parts["parsing"],
    "clip_vision": vision["CLIP_VISION"],
}
words = Node("LikenessIdentityPrompt", "The prompt", clip=checkpoint["CLIP"], text=text["STRING"], **person)
others = Node(
    "LikenessIdentityPrompt",
    "The negative prompt",
    clip=checkpoint["CLIP"],
    text="monochrome, lowres, bad anatomy, worst quality, low quality, blurry",
    against=text["STRING"],
    **person,
)
shown = Node(
    "LikenessApplyIdentityAdapter", model=checkpoint["MODEL"], embeddings=identity["embeddings"], weight=1.0, **person
)
latent = Node("EmptyLatentImage", width=512, height=768, batch_size=1)
sampler = Node(
    "KSampler",
    model=shown["model"],
    positive=words["conditioning"],
    negative=others["conditioning"],
    latent_image=latent["LATENT"],
    seed=1,
    steps=50,
    cfg=5.0,
    sampler_name="euler",
    scheduler="normal",
    denoise=1.0,
)
decoded = Node("VAEDecode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
saved = Node("SaveImage", "The new picture", images=decoded["IMAGE"], filename_prefix="likeness/consistentid")

about = note(
    "**Whose portrait?** The face becomes tokens beside the text, its parts enter the text, and a LoRA is on the "
    "model. The parts are heard from 62 % of the sampling on.\n\nIt needs an SD 1.5 checkpoint (the authors show "
    "Realistic_Vision_V6.0_B1), CLIP-ViT-H, ArcFace and the adapter; the model panel says where the last two are. A "
    "parser that sees ears, such as RTNet, shows them too. Ask before you use somebody's face.",
    320,
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, parser), (embedder, vision, adapter)),
    Column((faces, parts, identity)),
    Column(words, text),
    Column(others, checkpoint),
    Column(shown, latent),
    Column((sampler, decoded), saved),
    frames={
        "The person": (photo, detector, parser, embedder, vision, adapter, faces, parts, identity),
        "What the picture shows": (words, text, others, checkpoint, shown, latent),
        "The new picture": (sampler, decoded, saved),
    },
    pictures=(),
)
