"""Faces chosen here, passed on to detailer packs, and back."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
theirs = Node("LikenessAsBboxDetector", detector=detector["detector"])
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
chosen = Node("LikenessSelectFaces", faces=faces["faces"])
segs = Node("LikenessFacesToSegs", image=photo["IMAGE"], faces=chosen["faces"])
boxes = value("BBOX", segs["bbox"])
back = Node("LikenessSegsToFaces", image=photo["IMAGE"], found=segs["segs"])
drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=back["faces"], points=False)
shown = Node("PreviewImage", "What a detailer sees", images=drawn["image"])

about = note(
    "**With detailer packs.** *Faces to SEGS* gives a detailer the face that you chose; *As BBOX Detector* lets it "
    "search for itself, without a pickle. *SEGS to Faces* takes what others found."
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, theirs)),
    Column(faces, chosen),
    Column(segs, boxes),
    Column(back, drawn),
    Column(shown),
    frames={"Choose": (faces, chosen), "To a detailer": (segs, boxes), "And back": (back, drawn, shown)},
    pictures=(shown,),
)
