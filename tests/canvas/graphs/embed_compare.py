"""Do two photos show the same person?"""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
second = Node("LoadImage", "Second photo", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
second_faces = Node("LikenessDetectFaces", detector=detector["detector"], image=second["IMAGE"])
who = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=faces["faces"])
second_who = Node(
    "LikenessEmbedFaces", embedder=embedder["embedder"], image=second["IMAGE"], faces=second_faces["faces"]
)
compared = Node("LikenessCompareFaces", a=who["embeddings"], b=second_who["embeddings"])

crop = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=faces["faces"])
second_crop = Node("LikenessAlignFaces", image=second["IMAGE"], faces=second_faces["faces"])
face = Node("PreviewImage", "Face", images=crop["crops"])
second_face = Node("PreviewImage", "Second face", images=second_crop["crops"])
answer = value("Same person", compared["same_person"])
distance = value("Distance", compared["distance"])
similarity = value("Similarity", compared["similarity"])
about = note(
    "**Who is it?** Every face becomes a vector. Two of one person lie close together.\n\n"
    "The verdict is the model's own: dlib ResNet says *same person* below a distance of 0.6. "
    "Its similarity (cosine) is high between strangers too: read the distance."
)

GRAPH = Graph(
    Column(photo, second),
    Column((detector, embedder), top=100),
    Column(faces, second_faces),
    Column(crop, second_crop),
    Column(face, second_face),
    Column(who, second_who),
    Column((compared, about)),
    Column((answer, distance, similarity)),
    frames={
        "Photos": (photo, second),
        "Models": (detector, embedder),
        "Find the faces": (faces, second_faces),
        "Cut them out": (crop, second_crop, face, second_face),
        "Whose are they?": (who, second_who),
        "The same?": (compared, about, answer, distance, similarity),
    },
    pictures=(face, second_face),
)
