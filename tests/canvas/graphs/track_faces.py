"""Who is who through a clip: faces found, identified, tracked, steadied, and drawn with their lips marked."""

from ..graph import Column, Graph, Node, note, value

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
parts = Node("GetVideoComponents", video=clip["VIDEO"])
detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
parser = Node("LikenessLoadFaceParser")
found = Node("LikenessDetectFaces", detector=detector["detector"], image=parts["images"])
known = Node("LikenessEmbedFaces", embedder=embedder["embedder"], image=parts["images"], faces=found["faces"])
tracked = Node("LikenessTrackFaces", image=parts["images"], faces=found["faces"], embeddings=known["embeddings"])
summary = value("Tracks", tracked["summary"])
steady = Node("LikenessSmoothFaces", faces=tracked["faces"])
parsed = Node("LikenessParseFaces", parser=parser["parser"], image=parts["images"], faces=steady["faces"])
lips = Node("LikenessParsingToMask", parsing=parsed["parsing"], regions="lips")
drawn = Node("LikenessDrawFaces", image=parts["images"], faces=steady["faces"], mask=lips["mask"])
video = Node("CreateVideo", images=drawn["image"], fps=parts["fps"], audio=parts["audio"])
saved = Node("SaveVideo", "Tracked", video=video["VIDEO"], filename_prefix="likeness/tracked")

about = note(
    "**Follow people through a clip.** With embeddings connected nobody is mixed up where people cross, leave and come "
    "back, or where the shot changes.\n\n"
    "For long videos take *Track Video*, which keeps no frames in memory."
)

GRAPH = Graph(
    Column(clip, about),
    Column(parts, (detector, embedder)),
    Column(found, known),
    Column(tracked, summary),
    Column(steady),
    Column(parser, parsed),
    Column(lips, drawn),
    Column(video, saved),
    frames={
        "Find and identify": (parts, detector, embedder, found, known),
        "Track and steady": (tracked, summary, steady),
        "Mark the lips and draw": (parser, parsed, lips, drawn),
    },
    pictures=(saved,),
)
