"""How light does the skin in a photo look?"""

from ..graph import Column, Graph, Node, note, value

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
parser = Node("LikenessLoadFaceParser")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
skin = Node("LikenessParseFaces", parser=parser["parser"], image=photo["IMAGE"], faces=faces["faces"], regions="skin")
measured = Node("LikenessMeasureSkinTone", image=photo["IMAGE"], mask=skin["mask"])
saved = Node(
    "LikenessSaveReport",
    "Save it",
    (320, 420),
    report=measured["report"],
    filename_prefix="reports/skin_tone",
    format="json",
)
angle = value("Typology angle", measured["ita"])
bucket = value("Bucket", measured["bucket"])
text = Node("PreviewAny", "Report", (420, 300), source=saved["markdown"])
looked = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=faces["faces"], mask=skin["mask"])
shown = Node("PreviewImage", "Skin", images=looked["image"])
about = note(
    "**ITA is of the photo.** Light, camera and make-up move it as much as skin does. It is neither "
    "Fitzpatrick's type nor the Monk scale, which people judge. Compare photos of one lighting only."
)

GRAPH = Graph(
    Column(photo),
    Column((detector, parser), top=60),
    Column(faces),
    Column((skin, about)),
    Column((measured, looked)),
    Column((angle, bucket, shown)),
    Column(saved),
    Column(text),
    frames={
        "Photo": (photo,),
        "Models": (detector, parser),
        "Find the skin": (faces, skin, about),
        "Measure it": (measured, looked, angle, bucket, shown),
        "The report": (saved, text),
    },
    pictures=(shown,),
)
