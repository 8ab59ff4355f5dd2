"""Teeth, lips and skin without beard by EasyPortrait, and whole people by its matte, beside the selfie segmentation."""

from ..graph import Column, Graph, Node, note

photo = Node("LoadImage", "Photo", image="likeness_astronaut.png")
detector = Node("LikenessLoadFaceDetector")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])


def drawn(title: str, mask: object) -> tuple[Node, Node]:
    """The photo with a mask on it, and where it is shown."""
    drawing = Node(
        "LikenessDrawFaces",
        image=photo["IMAGE"],
        faces=faces["faces"],
        boxes=False,
        labels=False,
        points=False,
        mask=mask,
    )
    return drawing, Node("SaveImage", title, images=drawing["image"], filename_prefix=f"likeness/{title.lower()}")


parts = Node(
    "LikenessLoadFaceParser",
    "Load Face Parser: parts",
    model="easyportrait/segformer_b0_fp_512",
    size="512",
)
matte = Node("LikenessLoadFaceParser", "Load Face Parser: matte", model="easyportrait/segformer_b0_ps_384_onnx")
selfie = Node("LikenessLoadFaceParser", "Load Face Parser: selfie", model="selfie_segmentation/general")

teeth = Node("LikenessParseFaces", "Teeth", parser=parts["parser"], image=photo["IMAGE"], regions="teeth")
skin = Node("LikenessParsingToMask", "Skin", parsing=teeth["parsing"], regions="skin")
soft = Node("LikenessRefineMask", mask=skin["mask"], grow=-2.0, feather=4.0)
person = Node("LikenessParseFaces", "Person", parser=matte["parser"], image=photo["IMAGE"], regions="person")
other = Node("LikenessParseFaces", "Person: selfie", parser=selfie["parser"], image=photo["IMAGE"], regions="person")

teeth_drawn, teeth_shown = drawn("Teeth", teeth["mask"])
skin_drawn, skin_shown = drawn("Skin", soft["mask"])
person_drawn, person_shown = drawn("Person", person["mask"])
other_drawn, other_shown = drawn("Selfie", other["mask"])

about = note(
    "**Teeth and skin of their own.** EasyPortrait tells teeth from lips, and skin from beard: whiten the one, smooth "
    "the other by inpainting under these masks. It needs no faces: it looks at the whole portrait.\n\n"
    "The matte (`ps`) holds whole people, as the selfie segmentation below does at a lower size.\n\n"
    "Its weights are share-alike: what is made of them goes under the same terms.",
    300,
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, parts), (matte, selfie), top=100),
    Column((faces, teeth), (person, other)),
    Column((skin, soft), (person_drawn, other_drawn)),
    Column((teeth_drawn, skin_drawn), (person_shown,)),
    Column((teeth_shown,), (other_shown,)),
    Column((skin_shown,)),
    frames={
        "Parts of the face": (
            detector,
            faces,
            parts,
            teeth,
            skin,
            soft,
            teeth_drawn,
            skin_drawn,
            teeth_shown,
            skin_shown,
        ),
        "Whole people": (matte, selfie, person, other, person_drawn, other_drawn, person_shown, other_shown),
    },
    pictures=(other_shown,),
)
