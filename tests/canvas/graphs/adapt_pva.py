"""A face drawn again as a person's, whom PVA learned from a few pictures; it needs an inpainting checkpoint."""

from ..graph import Column, Graph, Node, note

person = Node("LoadImage", "The person", image="likeness_astronaut.png")
photo = Node("LoadImage", "The photo whose face is drawn again", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder", "", model="arcface/w600k_r50")
parser = Node("LikenessLoadFaceParser")
checkpoint = Node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="512-inpainting-ema.safetensors")

known = Node("LikenessDetectFaces", "", detector=detector["detector"], image=person["IMAGE"], max_faces=1)
trained = Node(
    "LikenessTrainIdentityAdapter",
    model=checkpoint["MODEL"],
    clip=checkpoint["CLIP"],
    vae=checkpoint["VAE"],
    embedder=embedder["embedder"],
    image=person["IMAGE"],
    faces=known["faces"],
)
curve = Node("PreviewImage", "Its loss", images=trained["figure"])

faces = Node("LikenessDetectFaces", "", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
face = Node("LikenessParseFaces", parser=parser["parser"], image=photo["IMAGE"], regions="face", faces=faces["faces"])
crop = Node(
    "LikenessAlignFaces", image=photo["IMAGE"], faces=faces["faces"], size=512, template="ffhq", mask=face["mask"]
)
area = Node("LikenessRefineMask", "What is drawn", mask=crop["masks"], grow=16.0, feather=0.0)
others = Node("CLIPTextEncode", "Negative prompt", (300, 160), clip=checkpoint["CLIP"], text="photo of a person")
told = Node(
    "InpaintModelConditioning",
    positive=trained["positive"],
    negative=others["CONDITIONING"],
    vae=checkpoint["VAE"],
    pixels=crop["crops"],
    mask=area["mask"],
    noise_mask=True,
)
shown = Node(
    "LikenessApplyIdentityAdapter",
    model=checkpoint["MODEL"],
    adapter=trained["adapter"],
    weight=1.0,
    embeddings=trained["embeddings"],
)
sampler = Node(
    "KSampler",
    model=shown["model"],
    positive=told["positive"],
    negative=told["negative"],
    latent_image=told["latent"],
    seed=1,
    steps=100,
    cfg=1.0,
    sampler_name="euler_ancestral",
    scheduler="normal",
    denoise=1.0,
)
decoded = Node("VAEDecode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
pasted = Node(
    "LikenessPasteFaces",
    image=photo["IMAGE"],
    crops=decoded["IMAGE"],
    alignment=crop["alignment"],
    mask=area["mask"],
)
saved = Node("SaveImage", "The new picture", images=pasted["image"], filename_prefix="likeness/pva")

about = note(
    "**Learned from your pictures alone.** PVA's training on many people was never published: this learns one person "
    "in 40 steps and knows nobody else. Nothing is promised about likeness; judge it with **Judge Identity**.\n\n"
    "Give 3 to 5 pictures of the person (**Batch Images**), one face in each, and another photo to draw into. It needs "
    "Stable Diffusion 2's inpainting checkpoint or that of 1.5. Ask before you use somebody's face.",
    300,
)

GRAPH = Graph(
    Column(person, about),
    Column((detector, embedder), checkpoint),
    Column((known, trained), others),
    Column(curve, photo),
    Column(shown, (parser, faces, face)),
    Column((crop, area), told),
    Column((sampler, decoded), (pasted, saved)),
    frames={
        "Learn the person": (person, detector, embedder, known, trained, curve),
        "Draw": (told, shown, sampler, decoded, pasted, saved),
    },
    pictures=(),
)
