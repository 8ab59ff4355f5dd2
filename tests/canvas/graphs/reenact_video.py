"""A photo moved by a driving video of any length, with its sound."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_grace_hopper.jpg")
clip = Node("LoadVideo", "Driving clip", file="likeness_talk.mp4")
detector = Node("LikenessLoadFaceDetector")
reenactor = Node("LikenessLoadReenactor")
found = Node("LikenessDetectFaces", "Detect in the photo", detector=detector["detector"], image=photo["IMAGE"])
faces = Node("LikenessSelectFaces", "Whom to move", faces=found["faces"])
tracked = Node("LikenessTrackVideo", video=clip["VIDEO"], detector=detector["detector"], smooth=False)
leader = Node("LikenessSelectFaces", "Whom to follow", faces=tracked["faces"])
moved = Node(
    "LikenessReenactVideo",
    reenactor=reenactor["reenactor"],
    image=photo["IMAGE"],
    faces=faces["faces"],
    driving=clip["VIDEO"],
    driving_faces=leader["faces"],
)
saved = Node("SaveVideo", "Moving", video=moved["video"], filename_prefix="likeness/moving")
warnings = value("Warnings", moved["warnings"])

about = note(
    "**The photo speaks as the clip does**, frame by frame and with its sound. Only the motion is kept in memory.\n\n"
    "Ask before you move somebody's face."
)

GRAPH = Graph(
    Column(photo, clip),
    Column((detector, reenactor), about),
    Column((found, faces), (tracked, leader)),
    Column(moved),
    Column(saved, warnings),
    frames={"Who": (found, faces, tracked, leader), "Move": (moved, saved, warnings)},
    pictures=(saved,),
)
