"""One person's face on another in a video of any length."""

from ..graph import Column, Graph, Node, note

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
source = Node("LoadImage", "Photo of the new face", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
swapper = Node("LikenessLoadFaceSwapper")
tracked = Node("LikenessTrackVideo", video=clip["VIDEO"], detector=detector["detector"])
chosen = Node("LikenessSelectFaces", faces=tracked["faces"])
source_faces = Node("LikenessDetectFaces", detector=detector["detector"], image=source["IMAGE"])
swapped = Node(
    "LikenessSwapVideo",
    swapper=swapper["swapper"],
    video=clip["VIDEO"],
    faces=chosen["faces"],
    source_image=source["IMAGE"],
    source_faces=source_faces["faces"],
)
saved = Node("SaveVideo", "Swapped", video=swapped["video"], filename_prefix="likeness/swapped")

about = note(
    "**A swap in a video.** Frames are read, changed and written a few at a time, with sound and times, so an hour "
    "needs no more memory than a second.\n\nAsk before you use somebody's face."
)

GRAPH = Graph(
    Column(clip, source),
    Column((detector, swapper), about),
    Column(tracked, source_faces),
    Column(chosen),
    Column(swapped),
    Column(saved),
    frames={"Who": (tracked, chosen, source_faces), "Swap": (swapped, saved)},
    pictures=(saved,),
)
