"""A click on a face picks a person, who is found again in any picture; here Grace Hopper is picked and cut out."""

import json

from ..graph import Column, Graph, Node, note, value

# What a click on her thumbnail writes.
GRACE_HOPPER = (
    "o6rHJVos9iuIrFGp8J0+sYUsgq5sMUStKbUroOyrPzGRsPGsMq7orRqhZCa3J5Ak/K5vtH+pCaZzJf+rqqJALW6xGqQzLJEwUq78"
    "rOA0timisYYlnSonM5AzAqrgq/apxjButJec8zFnMHEuYKSyrjiriDLls7uLWSyHsvofVKj+MD4wyLCurmky5bF0pY0iJqyrr1y0"
    "qCjcNVMtga8Fq52tga37pGYrqqa6rleoJ5b5MBadeqbzMQOoRh2uKC0pnbKXrJiwFa3CrS2woC94MDywLTI/quup/SofodGtgaPR"
    "MEOzADOyLTAcei8rLPktX6k5JFOwrq/iH3kkbC5OEQ=="
)
CHOICE = json.dumps([{"space": "dlib_resnet-f0a6ba38", "identity": GRACE_HOPPER}], separators=(",", ":"))

photo = Node("LoadImage", "Photo", image="likeness_two_people.jpg")
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
found = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
known = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=photo["IMAGE"], faces=found["faces"])
picked = Node(
    "LikenessPickFaces",
    "Click a face",
    (360, 330),
    image=photo["IMAGE"],
    faces=found["faces"],
    embeddings=known["embeddings"],
    picked=CHOICE,
)
count = value("How many are kept", picked["count"])
crop = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=picked["faces"], template="head", padding="edge")
cut = Node("PreviewImage", "The person picked", images=crop["crops"])
drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=picked["faces"])
shown = Node("PreviewImage", "Where", images=drawn["image"])

about = note(
    "**Click a face to pick that person**, then run again. *Ctrl* with a click adds one; *Clear* picks nobody.\n\n"
    "The choice is an identity: save the file, open it with another picture, and the same person is picked there."
)

GRAPH = Graph(
    Column(photo, about),
    Column(detector, embedder),
    Column(found, known),
    Column(picked, count),
    Column(crop, drawn),
    Column(cut, shown),
    frames={
        "Find and identify": (detector, embedder, found, known),
        "Pick": (picked, count),
        "Cut out": (crop, drawn, cut, shown),
    },
    pictures=(shown, cut),
)
