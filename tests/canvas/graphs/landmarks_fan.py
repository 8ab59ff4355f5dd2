"""The 68 landmarks of FAN: S3FD finds the face, FAN its points with depth, and the head's angles."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector", "Load Face Detector: S3FD", model="s3fd/619a316812")
landmarker = Node("LikenessLoadFaceLandmarker", "Load Face Landmarker: FAN", model="fan/3d")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
landmarks = Node(
    "LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"]
)
drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=landmarks["faces"], landmarks=landmarks["landmarks"])
saved = Node("SaveImage", "68 landmarks", images=drawn["image"], filename_prefix="likeness/landmarks")
pose = Node("LikenessEstimateHeadPose", landmarks=landmarks["landmarks"])
angles = value("Angles", pose["table"])

about = note(
    "**68 points of iBUG and dlib**, as many tools ask for them. S3FD gives boxes only; the five points, to align and "
    "embed by, come from the landmarks.\n\n"
    "*fan/2d* follows the outline that is seen, *fan/2.5d* and *fan/3d* the head itself."
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, landmarker), top=100),
    Column(faces, landmarks),
    Column(drawn, pose),
    Column(saved, angles),
    frames={"Find": (detector, landmarker, faces, landmarks), "Draw and measure": (drawn, pose, saved, angles)},
    pictures=(saved,),
)
