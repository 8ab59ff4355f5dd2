"""Pictures with a face where a detector finds it: ChatAnything's landmark guidance through core's ControlNet nodes."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Reference", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
landmarker = Node("LikenessLoadFaceLandmarker")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
portrait = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=faces["faces"], size=512, template="ffhq")
found = Node("LikenessDetectFaces", "Detect in the portrait", detector=detector["detector"], image=portrait["crops"])
gate = Node(
    "LikenessPickDetectable", "Is it a face?", image=portrait["crops"], faces=found["faces"], otherwise="surest"
)
landmarks = Node("LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=gate["image"], faces=gate["faces"])
dots = Node("LikenessDrawLandmarkGuidance", landmarks=landmarks["landmarks"])
shown = Node("PreviewImage", "Dots", images=dots["image"])
attempt = Node("LikenessRetrySchedule", has_face=gate["detected"], prompt="a wooden puppet with big eyes, portrait")

checkpoint = Node("CheckpointLoaderSimple", ckpt_name="your_checkpoint.safetensors")
control = Node("ControlNetLoader", control_net_name="control_sd15_landmarks.safetensors")
wanted = Node("CLIPTextEncode", "What to draw", text=attempt["prompt"], clip=checkpoint["CLIP"])
unwanted = Node("CLIPTextEncode", "What not to draw", text="blurry, deformed", clip=checkpoint["CLIP"])
guided = Node(
    "ControlNetApplyAdvanced",
    positive=wanted["CONDITIONING"],
    negative=unwanted["CONDITIONING"],
    control_net=control["CONTROL_NET"],
    image=dots["image"],
    strength=attempt["control"],
)
latent = Node("VAEEncode", pixels=gate["image"], vae=checkpoint["VAE"])
batch = Node("RepeatLatentBatch", samples=latent["LATENT"], amount=4)


def drawn(title: str, positive: object, negative: object) -> tuple[Node, Node, Node]:
    """Candidates and the faces in them."""
    sampled = Node(
        "KSampler",
        title,
        model=checkpoint["MODEL"],
        seed=1,
        control_after_generate="fixed",  # both lanes have one seed
        steps=25,
        cfg=7.0,
        sampler_name="dpmpp_2m",
        scheduler="normal",
        positive=positive,
        negative=negative,
        latent_image=batch["LATENT"],
        denoise=attempt["strength"],
    )
    pictures = Node("VAEDecode", samples=sampled["LATENT"], vae=checkpoint["VAE"])
    seen = Node("LikenessDetectFaces", detector=detector["detector"], image=pictures["IMAGE"], threshold=0.3)
    return sampled, pictures, seen


led = drawn("Draw with guidance", guided["positive"], guided["negative"])
free = drawn("Draw without guidance", wanted["CONDITIONING"], unwanted["CONDITIONING"])
picked = Node("LikenessPickDetectable", image=led[1]["IMAGE"], faces=led[2]["faces"], otherwise="surest")
saved = Node("SaveImage", "The first with a face", images=picked["image"], filename_prefix="likeness/guided")
scores = value("Scores", picked["table"])
rates = Node("LikenessDetectionRate", a=free[2]["faces"], b=led[2]["faces"])
without, guidance = value("Rate without guidance", rates["rate_a"]), value("Rate with guidance", rates["rate_b"])

about = note(
    "**Choose a checkpoint of Stable Diffusion 1.5, and get the control net first** (model panel, ChatAnything).\n\n"
    "No face in any candidate? Raise *attempt*. Delete the lane without guidance when you know what it gains."
)

GRAPH = Graph(
    Column(photo, (checkpoint, control, about)),
    Column((detector, landmarker), (wanted, unwanted)),
    Column((faces, portrait), (guided, latent, batch)),
    Column((found, gate), led[:2], free[:2]),
    Column((landmarks, dots), led[2:], free[2:]),
    Column((shown, attempt), (picked, scores), (rates, without, guidance)),
    Column((saved,), top=100),
    frames={
        "Reference and dots": (faces, portrait, found, gate, landmarks, dots, shown, attempt),
        "Does guidance help?": (*free, rates, without, guidance),
    },
    pictures=(shown, saved),
)
