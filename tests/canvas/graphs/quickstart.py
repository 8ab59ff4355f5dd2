"""The main job: find the faces of two photos, draw, cut out and measure one, compare the two, lift a head."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
second = Node("LoadImage", "Second photo", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
landmarker = Node("LikenessLoadFaceLandmarker")
parser = Node("LikenessLoadFaceParser")
embedder = Node("LikenessLoadFaceEmbedder")
lifter = Node("LikenessLoadHeadLifter")

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
landmarks = Node(
    "LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"]
)
parsed = Node(
    "LikenessParseFaces", parser=parser["parser"], image=photo["IMAGE"], faces=faces["faces"], regions="lips, eyes"
)
drawn = Node(
    "LikenessDrawFaces",
    image=photo["IMAGE"],
    faces=faces["faces"],
    landmarks=landmarks["landmarks"],
    mask=parsed["mask"],
)
drawing = Node("SaveImage", "Faces drawn", images=drawn["image"], filename_prefix="likeness/faces")
crop = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=landmarks["faces"])
aligned = Node("SaveImage", "Aligned crop", images=crop["crops"], filename_prefix="likeness/crop")
pose = Node("LikenessEstimateHeadPose", landmarks=landmarks["landmarks"])
yaw, pitch, roll = (value(name.capitalize(), pose[name]) for name in ("yaw", "pitch", "roll"))

second_faces = Node("LikenessDetectFaces", detector=detector["detector"], image=second["IMAGE"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
second_who = Node(
    "LikenessEmbedFaces", embedder=embedder["embedder"], image=second["IMAGE"], faces=second_faces["faces"]
)
compared = Node("LikenessCompareFaces", a=who["embeddings"], b=second_who["embeddings"])
similarity = value("Similarity", compared["similarity"])
distance = value("Distance", compared["distance"])
answer = value("Same person", compared["same_person"])

lifted = Node("LikenessLiftHead", lifter=lifter["lifter"], image=photo["IMAGE"], faces=faces["faces"])
head = Node("SaveGLB", "Head", mesh=lifted["mesh"], filename_prefix="likeness/head")

about = note(
    "**Start here.** Press *Run*: all that this needs came with the pack. Then choose photos of your own.\n\n"
    "A *loader* chooses the system, the nodes after it do the task. Another system is another model in the loader, "
    "and nothing else changes."
)

GRAPH = Graph(
    Column((photo, about), second),
    Column((detector, landmarker, parser), embedder, top=100),
    Column(faces, second_faces),
    Column((landmarks, parsed), (who, second_who)),
    Column((drawn, crop), compared),
    Column(drawing, (similarity, distance, answer)),
    Column(aligned, (lifter, lifted)),
    Column((pose, yaw, pitch, roll), head),
    frames={
        "Photos": (photo, second),
        "Find, draw, cut out, measure": (
            faces,
            landmarks,
            parsed,
            drawn,
            crop,
            drawing,
            aligned,
            pose,
            yaw,
            pitch,
            roll,
        ),
        "Is it the same person?": (second_faces, who, second_who, compared, similarity, distance, answer),
        "A head": (lifter, lifted, head),
    },
    pictures=(drawing, aligned),
)
