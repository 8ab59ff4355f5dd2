"""Faces restored by an .onnx file of one's own."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
restorer = Node("LikenessLoadFaceRestorer", model="GFPGANv1.4.onnx")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
restored = Node(
    "LikenessRestoreFaces", restorer=restorer["restorer"], image=photo["IMAGE"], faces=faces["faces"], strength=0.8
)
saved = Node("SaveImage", "Restored", images=restored["image"], filename_prefix="likeness/restored")
crops = Node("PreviewImage", "Restored crops", images=restored["crops"])

about = note(
    "**Choose a restorer of your own first**: an .onnx file of GFPGAN, CodeFormer, RestoreFormer or GPEN in "
    "models/facerestore_models. Restorers make up what they do not see: look whether it still is the person."
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, restorer)),
    Column(faces),
    Column(restored),
    Column(saved, crops),
    frames={"Restore": (restorer, faces, restored, saved, crops)},
    pictures=(saved,),
)
