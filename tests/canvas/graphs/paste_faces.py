"""Cut a face out, edit it, paste it back: here another face takes its place, in its light and grain."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
other = Node("LoadImage", "Photo of the other face", image="likeness_grace_hopper.jpg")
detector = Node("LikenessLoadFaceDetector")
found = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
chosen = Node("LikenessSelectFaces", faces=found["faces"])
crop = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=chosen["faces"])
shown = Node("PreviewImage", "Crop", images=crop["crops"])

# The other photo's face is said to be somewhere by hand: no detector is asked.
boxes = Node("LikenessFacesFromBoxes", "Where the other face is", image=other["IMAGE"], boxes="149, 81, 233, 233")
other_crop = Node("LikenessAlignFaces", image=other["IMAGE"], faces=boxes["faces"])
edited = Node("PreviewImage", "What takes its place", images=other_crop["crops"])

parser = Node("LikenessLoadFaceParser")
in_crop = Node("LikenessDetectFaces", detector=detector["detector"], image=other_crop["crops"])
parsed = Node(
    "LikenessParseFaces", parser=parser["parser"], image=other_crop["crops"], faces=in_crop["faces"], regions="face"
)
soft = Node("LikenessRefineMask", mask=parsed["mask"], grow=-10.0, feather=30.0)
pasted = Node(
    "LikenessPasteFaces",
    image=photo["IMAGE"],
    crops=other_crop["crops"],
    alignment=crop["alignment"],
    mask=soft["mask"],
    color="lab",
    grain=True,
)
result = Node("SaveImage", "Pasted", images=pasted["image"], filename_prefix="likeness/pasted")

about = note(
    "**Edit a face.** *Align Faces* cuts it upright, whatever its tilt; *Paste Faces* puts back what you made of the "
    "crop, at any size, and leaves every pixel outside as it was.\n\n"
    "Put your own nodes between the two: an upscaler, a sampler, a painter. Here another face is pasted."
)

GRAPH = Graph(
    Column(photo, other),
    Column((detector, about), (boxes, parser), top=80),
    Column(found, other_crop),
    Column(chosen, edited),
    Column(crop, in_crop),
    Column(shown, parsed),
    Column(pasted, soft),
    Column(result),
    frames={
        "Cut out": (found, chosen, crop, shown),
        "Make what takes its place": (boxes, parser, other_crop, edited, in_crop, parsed, soft),
        "Paste": (pasted, result),
    },
    pictures=(shown, result),
)
