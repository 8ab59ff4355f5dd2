"""Every face drawn again by a sampler at low denoise, all in one call, and put back."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
crops = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=faces["faces"], size=512, template="ffhq")
checkpoint = Node("CheckpointLoaderSimple", ckpt_name="your_checkpoint.safetensors")
wanted = Node("CLIPTextEncode", "What a face is to show", text="photo of a face, sharp focus", clip=checkpoint["CLIP"])
unwanted = Node("CLIPTextEncode", "What it is not to show", text="blurry, deformed", clip=checkpoint["CLIP"])
latent = Node("VAEEncode", pixels=crops["crops"], vae=checkpoint["VAE"])
sampled = Node(
    "KSampler",
    model=checkpoint["MODEL"],
    seed=1,
    steps=20,
    cfg=5.0,
    sampler_name="euler",
    scheduler="normal",
    positive=wanted["CONDITIONING"],
    negative=unwanted["CONDITIONING"],
    latent_image=latent["LATENT"],
    denoise=0.35,
)
drawn = Node("VAEDecode", samples=sampled["LATENT"], vae=checkpoint["VAE"])
pasted = Node(
    "LikenessPasteFaces",
    image=photo["IMAGE"],
    crops=drawn["IMAGE"],
    alignment=crops["alignment"],
    feather=0.1,
    blend="change",
)
saved = Node("SaveImage", "Detailed", images=pasted["image"], filename_prefix="likeness/detailed")

about = note(
    "**Choose a checkpoint of your own first.** All faces of all images are one batch of one size, so the sampler runs "
    "once for a whole group. Keep *denoise* low: the more is drawn anew, the less it is the person.\n\n"
    "Turn *size* up to 1024 for a model that was trained on it."
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, checkpoint)),
    Column(faces, wanted),
    Column(crops, unwanted),
    Column((latent, sampled)),
    Column((drawn, pasted)),
    Column(saved),
    frames={"Cut and paste": (faces, crops), "Draw again": (latent, sampled, drawn, pasted, saved)},
    pictures=(saved,),
)
