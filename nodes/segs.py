"""To and from the detailers of other packs: SEGS, BBOX and BBOX_DETECTOR. None of those packs is imported."""

from comfy_api.latest import io

from ..likeness.segs import BboxDetector, corners_to_faces, faces_to_corners, faces_to_segs, segs_to_faces
from . import convert, host

Segs = io.Custom("SEGS")
Bbox = io.Custom("BBOX")
BboxDetectors = io.Custom("BBOX_DETECTOR")


class FacesToSegs(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFacesToSegs",
            display_name="Faces to SEGS",
            category="likeness/segs",
            description="Faces as the SEGS and BBOX of detailer packs: what they detail is whom you chose here.",
            search_aliases=["segs", "bbox", "impact pack", "face detailer", "detailer", "convert faces"],
            inputs=[
                io.Image.Input("image", tooltip="The image that the faces were found in; SEGS hold one."),
                host.faces_input("Whom to pass on."),
                io.Float.Input(
                    "crop_factor",
                    default=3.0,
                    min=1.0,
                    max=100.0,
                    step=0.1,
                    optional=True,
                    tooltip="How much a detailer sees: sides of the crop against those of the face.",
                ),
                io.Int.Input(
                    "dilation",
                    default=10,
                    min=-512,
                    max=512,
                    optional=True,
                    advanced=True,
                    tooltip="Pixels by which the masks are wider and higher than the boxes; unused with a mask.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="Where the faces are, instead of their boxes: from Parsing to Mask."
                ),
            ],
            outputs=[
                Segs.Output("segs", tooltip="For the nodes of detailer packs."),
                Bbox.Output("bbox", tooltip="Corners x1, y1, x2, y2 in whole pixels: a list for the image."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, crop_factor=3.0, dilation=10, mask=None) -> io.NodeOutput:
        found = convert.to_faces(faces, image)
        return io.NodeOutput(faces_to_segs(found, crop_factor, dilation, mask), faces_to_corners(found)[0])


class SegsToFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSegsToFaces",
            display_name="SEGS to Faces",
            category="likeness/segs",
            description="Faces that another pack found: SEGS, or BBOX with its image. They are boxes without points.",
            search_aliases=["segs", "bbox", "impact pack", "ultralytics", "yolo", "convert faces"],
            inputs=[
                io.Image.Input("image", tooltip="The image that they were found in."),
                io.MultiType.Input("found", [Segs, Bbox], tooltip="From a detector of another pack."),
                io.String.Input(
                    "label",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Take only SEGS of this label, such as face; empty takes all.",
                ),
            ],
            outputs=[host.Faces.Output("faces", tooltip="The faces; Find Landmarks gives them points.")],
        )

    @classmethod
    def execute(cls, image, found, label="") -> io.NodeOutput:
        height, width = image.shape[1:3]
        is_segs = len(found) == 2 and all(isinstance(side, int) for side in found[0]) and len(found[0]) == 2
        if not is_segs:
            return io.NodeOutput(corners_to_faces(found, (height, width), len(image)))
        faces = segs_to_faces(found, label.strip())
        if faces.image_size != (height, width) or len(image) != 1:
            size = faces.image_size
            raise ValueError(
                f"Expected SEGS of this one image of {width} x {height}, got SEGS of {size[1]} x {size[0]} for "
                f"{len(image)} images: connect the image that went into the detector."
            )
        return io.NodeOutput(faces)


class AsBboxDetector(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAsBboxDetector",
            display_name="As BBOX Detector",
            category="likeness/segs",
            description="A face detector of this pack for detailer packs, in place of one that comes as a pickle.",
            search_aliases=["bbox detector", "impact pack", "face detailer", "ultralytics detector provider"],
            inputs=[host.FaceDetector.Input("detector", tooltip="From Load Face Detector.")],
            outputs=[BboxDetectors.Output("bbox_detector", tooltip="For a detailer's bbox_detector.")],
        )

    @classmethod
    def execute(cls, detector) -> io.NodeOutput:
        def find(image, threshold):
            return detector.run(lambda network, *chunk: network.detect(*chunk, threshold), image)

        return io.NodeOutput(BboxDetector(find))


NODES = (FacesToSegs, SegsToFaces, AsBboxDetector)
