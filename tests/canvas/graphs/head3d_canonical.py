"""A head in three dimensions from one photo: MediaPipe's canonical face on the person's own vertices."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
lifter = Node("LikenessLoadHeadLifter")
head = Node("LikenessLiftHead", lifter=lifter["lifter"], image=photo["IMAGE"], faces=faces["faces"])
texture = Node("PreviewImage", "Texture", images=head["texture"])
saved = Node("SaveGLB", "Head", mesh=head["mesh"], filename_prefix="likeness/head")

as_photo = Node(
    "LikenessRenderMesh", "As in the photo", mesh=head["mesh"], camera=head["camera"], background=photo["IMAGE"]
)
left = Node("LikenessRenderMesh", "Turn left", mesh=head["mesh"], yaw=-20.0)
right = Node("LikenessRenderMesh", "Turn right", mesh=head["mesh"], yaw=20.0)
shown = Node("SaveImage", "On the photo", images=as_photo["image"], filename_prefix="likeness/head_photo")
shown_left = Node("SaveImage", "Turned left", images=left["image"], filename_prefix="likeness/head_left")
shown_right = Node("SaveImage", "Turned right", images=right["image"], filename_prefix="likeness/head_right")

about = note(
    "**One photo, one head.** Every head has the same 468 vertices and the same texture layout, so what is painted "
    "for one fits all.\n\nThe side that the photo does not show is filled from the other: expect no profile of it."
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, lifter), top=100),
    Column(faces),
    Column((head, texture)),
    Column(saved),
    Column((as_photo, left, right)),
    Column(shown),
    Column(shown_left),
    Column(shown_right),
    frames={"Lift": (head, texture, saved), "Look at it": (as_photo, left, right, shown, shown_left, shown_right)},
    pictures=(shown, shown_left, shown_right),
)
