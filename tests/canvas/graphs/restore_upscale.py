"""Faces restored in their aligned crops by core's own upscale models, such as GFPGAN or CodeFormer as .pth."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
model = Node("UpscaleModelLoader", model_name="your_upscaler.pth")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
crops = Node("LikenessAlignFaces", image=photo["IMAGE"], faces=faces["faces"], size=512, template="ffhq")
larger = Node("ImageUpscaleWithModel", upscale_model=model["UPSCALE_MODEL"], image=crops["crops"])
pasted = Node(
    "LikenessPasteFaces", image=photo["IMAGE"], crops=larger["IMAGE"], alignment=crops["alignment"], feather=0.1
)
saved = Node("SaveImage", "Restored", images=pasted["image"], filename_prefix="likeness/restored")

about = note(
    "**Choose an upscale model of your own first.** The crop is the one that face restorers are trained on, *ffhq* at "
    "512. What comes back may be larger: *Paste Faces* takes any size."
)

GRAPH = Graph(
    Column(photo, about),
    Column((detector, model)),
    Column(faces),
    Column(crops),
    Column(larger, pasted),
    Column(saved),
    frames={"Restore": (model, faces, crops, larger, pasted, saved)},
    pictures=(saved,),
)
