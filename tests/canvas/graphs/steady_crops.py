"""Crops that were cut frame by frame and shake, beside the same crops cut anew where they hold still."""

from ..graph import Column, Graph, Node, note

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
parts = Node("GetVideoComponents", video=clip["VIDEO"])
detector = Node("LikenessLoadFaceDetector")
found = Node("LikenessDetectFaces", detector=detector["detector"], image=parts["images"])
tracked = Node("LikenessTrackFaces", image=parts["images"], faces=found["faces"], missing="hold")
chosen = Node("LikenessSelectFaces", faces=tracked["faces"], keep=1)
cut = Node(
    "LikenessAlignFaces", image=parts["images"], faces=chosen["faces"], size=256, template="head", padding="edge"
)
steady = Node("LikenessSmoothAlignment", image=parts["images"], alignment=cut["alignment"], padding="edge")
shaking = Node("CreateVideo", "As they were cut", images=cut["crops"], fps=parts["fps"], audio=parts["audio"])
still = Node("CreateVideo", "Steady", images=steady["crops"], fps=parts["fps"], audio=parts["audio"])
before = Node("SaveVideo", "As they were cut", video=shaking["VIDEO"], filename_prefix="likeness/crops_as_cut")
after = Node("SaveVideo", "Steady", video=still["VIDEO"], filename_prefix="likeness/crops_steady")

about = note(
    "**Crops that hold still.** A crop follows its five points, and points found frame by frame shake. *Smooth "
    "Alignment* steadies how the crops are cut and cuts them anew; fast true motion stays.\n\n"
    "Put your editor behind it, then *Paste Faces* with the alignment that comes out of it."
)

GRAPH = Graph(
    Column(clip, about),
    Column(parts, detector),
    Column(found, tracked),
    Column(chosen, cut),
    Column(steady),
    Column(shaking, still),
    Column(before, after),
    frames={
        "Find and follow": (parts, detector, found, tracked),
        "Cut, and cut steadily": (chosen, cut, steady),
        "Both as videos": (shaking, still, before, after),
    },
    pictures=(before, after),
)
