"""The main job: find the faces of two photos, cut one out, see where the head turns, and compare the two."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
second = Node("LoadImage", "Second photo", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
landmarker = Node("LikenessLoadFaceLandmarker")
embedder = Node("LikenessLoadFaceEmbedder")

faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
landmarks = Node(
    "LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"]
)
pose = Node("LikenessEstimateHeadPose", landmarks=landmarks["landmarks"])
crop = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=landmarks["faces"])
aligned = Node("SaveImage", "Aligned crop", images=crop["crops"], filename_prefix="likeness/crop")

second_faces = Node("LikenessDetectFaces", detector=detector["detector"], image=second["IMAGE"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
second_who = Node(
    "LikenessEmbedFaces", embedder=embedder["embedder"], image=second["IMAGE"], faces=second_faces["faces"]
)
compared = Node("LikenessCompareFaces", a=who["embeddings"], b=second_who["embeddings"])

yaw, pitch, roll = (value(name.capitalize(), pose[name]) for name in ("yaw", "pitch", "roll"))
similarity = value("Similarity", compared["similarity"])
distance = value("Distance", compared["distance"])
answer = value("Same person", compared["same_person"])

about = note(
    "**Start here.** Press *Run*: all that this needs came with the pack. Then choose photos of your own.\n\n"
    "A *loader* chooses the system, the nodes after it do the task. Another system is another model in the loader, "
    "and nothing else changes."
)

GRAPH = Graph(
    Column(photo, second),
    Column((detector, landmarker, embedder), top=100),
    Column((faces, about), second_faces),
    Column((landmarks, crop), (who, second_who)),
    Column(aligned, compared),
    Column(pose, similarity),
    Column((yaw, pitch, roll), (distance, answer)),
    frames={
        "Photos": (photo, second),
        "Models": (detector, landmarker, embedder),
        "Find, cut out, measure": (faces, about, landmarks, crop, aligned, pose, yaw, pitch, roll),
        "Is it the same person?": (second_faces, who, second_who, compared, similarity, distance, answer),
    },
    pictures=(aligned,),
)
