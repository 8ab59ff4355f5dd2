"""Heads from any side with their angles by DirectMHP, and who looks away; beside it faces and their mesh's angles."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_two_people.jpg")

detector = Node("LikenessLoadFaceDetector", "Load Face Detector: DirectMHP", model="directmhp/agora_s")
heads = Node("LikenessDetectHeads", detector=detector["detector"], image=photo["IMAGE"], max_heads=8)
away = Node(
    "LikenessSelectFaces",
    "Who looks away most",
    faces=heads["faces"],
    head_pose=heads["head_pose"],
    by="frontal",
    reverse=True,
    keep=1,
)
heads_drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=away["faces"])
heads_saved = Node("SaveImage", "Heads", images=heads_drawn["image"], filename_prefix="likeness/heads")
heads_angles = value("Angles of heads", heads["table"])

finder = Node("LikenessLoadFaceDetector", "Load Face Detector: YuNet")
landmarker = Node("LikenessLoadFaceLandmarker")
faces = Node("LikenessDetectFaces", detector=finder["detector"], image=photo["IMAGE"])
landmarks = Node(
    "LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"]
)
pose = Node("LikenessEstimateHeadPose", landmarks=landmarks["landmarks"], missing="skip")
faces_drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=faces["faces"])
faces_saved = Node("SaveImage", "Faces", images=faces_drawn["image"], filename_prefix="likeness/faces")
faces_angles = value("Angles of faces", pose["table"])

about = note(
    "**Heads from any side.** DirectMHP finds a head by its hair, too, and says where it turns: beyond 90 degrees of "
    "yaw it is seen from behind. A face detector misses it.\n\n"
    "**Select Faces** keeps heads by their angles: *frontal* first, or *reverse* for who looks away.\n\n"
    "The weights are for non-commercial use.",
    260,
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector,), (finder, landmarker), top=100),
    Column((heads,), (faces,)),
    Column((away,), (landmarks,)),
    Column((heads_drawn, heads_angles), (faces_drawn, pose)),
    Column((heads_saved,), (faces_saved, faces_angles)),
    frames={
        "Heads from any side": (detector, heads, away, heads_drawn, heads_angles, heads_saved),
        "Faces and their mesh": (finder, landmarker, faces, landmarks, faces_drawn, pose, faces_saved, faces_angles),
    },
    pictures=(faces_saved,),
)
