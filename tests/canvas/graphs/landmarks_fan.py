"""The 68 landmarks of FAN, found where S3FD finds the face, beside MediaPipe's mesh, and the head's angles of both."""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")


def lane(name: str, title: str, detector: Node, landmarker: Node) -> tuple[Node, ...]:
    """A face found, its landmarks drawn, its angles."""
    faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"], max_faces=1)
    landmarks = Node(
        "LikenessFindLandmarks", landmarker=landmarker["landmarker"], image=photo["IMAGE"], faces=faces["faces"]
    )
    drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=landmarks["faces"], landmarks=landmarks["landmarks"])
    saved = Node("SaveImage", title, images=drawn["image"], filename_prefix=f"likeness/{name}")
    pose = Node("LikenessEstimateHeadPose", landmarks=landmarks["landmarks"])
    return detector, landmarker, faces, landmarks, drawn, pose, saved, value(f"Angles: {title}", pose["table"])


fan = lane(
    "landmarks",
    "68 landmarks",
    Node("LikenessLoadFaceDetector", "Load Face Detector: S3FD", model="s3fd/619a316812"),
    Node("LikenessLoadFaceLandmarker", "Load Face Landmarker: FAN", model="fan/3d"),
)
mesh = lane("mesh", "Mesh", Node("LikenessLoadFaceDetector"), Node("LikenessLoadFaceLandmarker"))

about = note(
    "**68 points of iBUG and dlib**, as many tools ask for them. S3FD gives boxes only; the five points, to align and "
    "embed by, come from the landmarks.\n\n"
    "*fan/2d* follows the outline that is seen, *fan/2.5d* and *fan/3d* the head itself."
)

GRAPH = Graph(
    Column(photo, about),
    Column(fan[:2], mesh[:2], top=100),
    Column(fan[2:4], mesh[2:4]),
    Column(fan[4:6], mesh[4:6]),
    Column(fan[6:], mesh[6:]),
    frames={"68 points of FAN": fan, "MediaPipe's mesh": mesh},
    pictures=(mesh[6],),
)
