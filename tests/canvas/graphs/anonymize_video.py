"""Faces of a video hidden, in constant memory."""

from ..graph import Column, Graph, Node, note, value

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
detector = Node("LikenessLoadFaceDetector")
tracked = Node("LikenessTrackVideo", video=clip["VIDEO"], detector=detector["detector"], threshold=0.5, bridge=48)
summary = value("Tracks", tracked["summary"])
hidden = Node("LikenessAnonymizeVideo", video=clip["VIDEO"], faces=tracked["faces"], way="blur")
saved = Node("SaveVideo", "Hidden", video=hidden["video"], filename_prefix="likeness/hidden")

about = note(
    "**A video without faces.** The tracker fills gaps of up to 48 frames in which a face was not found. A false alarm "
    "costs little here, a missed face much: the threshold is low.\n\nThe sound stays: voices tell who speaks."
)

GRAPH = Graph(
    Column(clip, about),
    Column((detector, summary)),
    Column(tracked),
    Column(hidden),
    Column(saved),
    frames={"Follow": (detector, tracked, summary), "Hide": (hidden, saved)},
    pictures=(saved,),
)
