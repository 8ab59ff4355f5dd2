"""A face in fine detail and all of its picture around it, in one square; a mask made there comes back to the photo."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])


def warped(mode: str) -> tuple[Node, Node]:
    """The photo warped around its face, and where it is shown."""
    warp = Node("LikenessRoiTanhWarp", mode.title(), image=photo["IMAGE"], faces=faces["faces"], mode=mode)
    return warp, Node("PreviewImage", f"{mode.title()} picture", images=warp["warped"])


cartesian, cartesian_shown = warped("cartesian")
polar, polar_shown = warped("polar")
circular, circular_shown = warped("circular")

back = Node("LikenessRoiTanhRestore", "From polar", warped=polar["warped"], warp=polar["warp"], image=photo["IMAGE"])
back_shown = Node("SaveImage", "Restored", images=back["image"], filename_prefix="likeness/roi_restored")

parser = Node("LikenessLoadFaceParser")
found = Node("LikenessDetectFaces", "Detect in the warp", detector=detector["detector"], image=cartesian["warped"])
parsed = Node(
    "LikenessParseFaces", parser=parser["parser"], image=cartesian["warped"], faces=found["faces"], regions="face"
)
mask = Node("LikenessRoiTanhRestore", "Mask from cartesian", warped=parsed["mask"], warp=cartesian["warp"])
only = {"boxes": False, "labels": False, "points": False}
drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=faces["faces"], mask=mask["mask"], **only)
drawn_shown = Node("SaveImage", "Mask", images=drawn["image"], filename_prefix="likeness/roi_mask")

about = note(
    "**One square for face and picture.** *RoI Tanh Warp* shows the face large and squeezes the rest towards the "
    "border: x and y by themselves (cartesian), unrolled (polar), or as a disk (circular).\n\n"
    "Edit, or make a mask, in the warped picture; *RoI Tanh Restore* brings it back to the photo."
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, parser), top=100),
    Column((faces,)),
    Column((cartesian, polar, circular)),
    Column((cartesian_shown, polar_shown)),
    Column((circular_shown,)),
    Column((found, parsed, back)),
    Column((mask, drawn)),
    Column((back_shown, drawn_shown)),
    frames={
        "Warp": (cartesian, polar, circular, cartesian_shown, polar_shown, circular_shown),
        "A mask made in the warp, and the way back": (found, parsed, back, mask, drawn, back_shown, drawn_shown),
    },
    pictures=(cartesian_shown, polar_shown, circular_shown, back_shown, drawn_shown),
)
