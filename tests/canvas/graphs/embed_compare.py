"""Do two photos show the same person?"""

from ..graph import Column, Graph, Node, note

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
answer = Node("PreviewAny", "Same person", source=compared["same_person"])
distance = Node("PreviewAny", "Distance", source=compared["distance"])
similarity = Node("PreviewAny", "Similarity", source=compared["similarity"])
about = note(
    "**Who is it?** Every face becomes a vector. Two of one person lie close together.\n\n"
    "The verdict is the model's own: dlib ResNet says *same person* below a distance of 0.6. "
    "Its similarity (cosine) is high between strangers too: read the distance."
)

GRAPH = Graph(
    Column("Photos", photo, second),
    Column("Models", (detector, embedder), top=120),
    Column("Find the faces", faces, second_faces),
    Column("Cut out", crop, second_crop),
    Column("Faces", face, second_face),
    Column("Identity", who, second_who),
    Column("Compare", (compared, about)),
    Column("Answer", (answer, distance, similarity)),
    pictures=(face, second_face),
)
