"""The face video that WanAnimate-type models ask for: 512 x 512, steady, as long as the film."""

from ..graph import Column, Graph, Node, note, value

clip = Node("LoadVideo", "Clip", file="likeness_talk.mp4")
detector = Node("LikenessLoadFaceDetector")
tracked = Node("LikenessTrackVideo", video=clip["VIDEO"], detector=detector["detector"], bridge=24)
chosen = Node("LikenessSelectFaces", faces=tracked["faces"])
crops = Node("LikenessCropVideo", video=clip["VIDEO"], faces=chosen["faces"], size=512, template="ffhq")
saved = Node("SaveVideo", "Face video", video=crops["crops"], filename_prefix="likeness/wan_face")
boxes = value("Box track", crops["boxes"])

about = note(
    "**For the *face_video* of WanAnimate and its like.** Height and width keep their ratio, the crop does not shake, "
    "and frames without the face hold the one before, so that both videos stay in step.\n\n"
    "*Get Video Components* gives the frames."
)

GRAPH = Graph(
    Column(clip, about),
    Column(detector),
    Column(tracked, chosen),
    Column(crops),
    Column(saved, boxes),
    frames={"Follow": (detector, tracked, chosen), "Cut": (crops, saved, boxes)},
    pictures=(saved,),
)
