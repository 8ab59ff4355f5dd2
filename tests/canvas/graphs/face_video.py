"""One face of a video as a steady video of its own, and back into the whole, in constant memory."""

from ..graph import Column, Graph, Node, note, value

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
detector = Node("LikenessLoadFaceDetector")
tracked = Node("LikenessTrackVideo", video=clip["VIDEO"], detector=detector["detector"])
summary = value("Tracks", tracked["summary"])
chosen = Node("LikenessSelectFaces", faces=tracked["faces"])
crops = Node("LikenessCropVideo", video=clip["VIDEO"], faces=chosen["faces"], template="ffhq")
face = Node("SaveVideo", "Face", video=crops["crops"], filename_prefix="likeness/face")
pasted = Node("LikenessPasteVideo", video=clip["VIDEO"], crops=crops["crops"], alignment=crops["alignment"])
saved = Node("SaveVideo", "Whole", video=pasted["video"], filename_prefix="likeness/whole")

about = note(
    "**A face of a video, to edit.** *Crop Video* gives a square video that does not shake; put your own nodes between "
    "it and *Paste Video*: a restorer, a talking head, a sampler.\n\n"
    "Frames are read a few at a time, so a video of an hour needs no more memory than one of a second."
)

GRAPH = Graph(
    Column(clip, about),
    Column((detector, summary), top=80),
    Column(tracked, chosen),
    Column(crops),
    Column(face, pasted),
    Column(saved),
    frames={"Follow": (detector, tracked, summary, chosen), "Cut and paste": (crops, face, pasted, saved)},
    pictures=(face, saved),
)
