"""A photo speaks, blinks and turns as the person in a clip does; the clip's sound goes with it."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_grace_hopper.jpg")
clip = Node("LoadVideo", "Driving clip", file="likeness_talk.mp4")
parts = Node("GetVideoComponents", video=clip["VIDEO"])
detector = Node("LikenessLoadFaceDetector")
reenactor = Node("LikenessLoadReenactor")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
driving = Node("LikenessDetectFaces", "Detect driving faces", detector=detector["detector"], image=parts["images"])
reenacted = Node(
    "LikenessReenactFace",
    reenactor=reenactor["reenactor"],
    image=photo["IMAGE"],
    faces=faces["faces"],
    driving=parts["images"],
    driving_faces=driving["faces"],
)
warnings = value("Warnings", reenacted["warnings"])
video = Node("CreateVideo", images=reenacted["frames"], fps=parts["fps"], audio=parts["audio"])
saved = Node("SaveVideo", "Moving photo", video=video["VIDEO"], filename_prefix="likeness/moving")

about = note(
    "**Bring a photo to life.** Any clip of one person drives it: choose your own. Only what its face changes is "
    "taken over, so the person stays who they are.\n\n"
    "The mesh warp needs no network of its own and shows nothing that the photo does not show."
)

GRAPH = Graph(
    Column(photo, clip),
    Column((detector, reenactor), (parts, about), top=80),
    Column(faces, driving),
    Column((reenacted, warnings)),
    Column(video),
    Column(saved),
    frames={
        "The photo": (photo, detector, reenactor, faces),
        "The motion": (clip, parts, about, driving),
        "The moving photo": (reenacted, warnings, video, saved),
    },
    pictures=(saved,),
)
