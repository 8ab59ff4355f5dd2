"""Face detection nodes."""

from comfy_api.latest import io

from ..likeness import detect
from ..likeness.select import fill_missing, fill_missing_in, pick, pick_rows, rank
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("face_detection")


class LoadFaceDetector(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceDetector",
            display_name="Load Face Detector",
            category="likeness/detect",
            description="Loads a network that finds faces or heads. A file of your own is recognised by its tensors.",
            search_aliases=[
                "face detection",
                "find faces",
                "retinaface",
                "head detection",
                *(system.name for system in detect.SYSTEMS),
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, detect.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_detection.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceDetector.Output("detector", tooltip="The network, for Detect Faces or Detect Heads.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, detect.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, detect.SYSTEMS, engine)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class DetectFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDetectFaces",
            display_name="Detect Faces",
            category="likeness/detect",
            description="Finds the faces in every image, the surest first.",
            search_aliases=["face detection", "find faces", "face bounding box", "bbox"],
            inputs=[
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector."),
                io.Image.Input("image", tooltip="Images or the frames of a video, of any size."),
                io.Float.Input(
                    "threshold", default=0.7, min=0.0, max=1.0, step=0.01, tooltip="How sure a face must be to count."
                ),
                io.Int.Input(
                    "max_faces",
                    default=0,
                    min=0,
                    max=1000,
                    optional=True,
                    advanced=True,
                    tooltip="How many of each image to keep at most, the surest; 0 keeps all.",
                ),
                missing_input("skip"),
                io.Int.Input(
                    "size",
                    default=640,
                    min=64,
                    max=8192,
                    step=32,
                    optional=True,
                    advanced=True,
                    tooltip="The longer side that pictures are searched at, pixels. Raise it for small faces in big "
                    "pictures; faces of about 10 to 400 of these pixels are found. BlazeFace always searches at 128.",
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces of all images."),
                io.BoundingBox.Output("boxes", tooltip="Their boxes, for core's nodes: one list per image."),
                io.Int.Output("count", tooltip="How many faces there are in all images."),
            ],
        )

    @classmethod
    def execute(cls, detector, image, threshold, max_faces=0, missing="skip", size=640) -> io.NodeOutput:
        found = detector.run(lambda network, chunk: network.detect(chunk, threshold, size), image)
        faces = fill_missing(pick(found, rank(found, "score"), count=max_faces), missing)
        return io.NodeOutput(faces, convert.faces_to_boxes(faces), len(faces))


class DetectHeads(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDetectHeads",
            display_name="Detect Heads",
            category="likeness/detect",
            description="Finds the heads in every image from any side, the back included, and where each turns. "
            "Needs a detector that gives angles: DirectMHP.",
            search_aliases=["head detection", "head pose", "yaw pitch roll", "back of head", "multi person head pose"],
            inputs=[
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector: directmhp, or a file of its."),
                io.Image.Input("image", tooltip="Images or the frames of a video, of any size."),
                io.Float.Input(
                    "threshold", default=0.7, min=0.0, max=1.0, step=0.01, tooltip="How sure a head must be to count."
                ),
                io.Int.Input(
                    "max_heads",
                    default=0,
                    min=0,
                    max=300,
                    optional=True,
                    advanced=True,
                    tooltip="How many of each image to keep at most, the surest; 0 keeps all.",
                ),
                missing_input("skip"),
                io.Int.Input(
                    "size",
                    default=1280,
                    min=64,
                    max=8192,
                    step=64,
                    optional=True,
                    advanced=True,
                    tooltip="The longer side that pictures are searched at, pixels; 1280 is what DirectMHP was trained "
                    "at. Lower it for speed where heads are large.",
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The heads of all images, as faces without five points."),
                host.HeadPose.Output(
                    "head_pose", tooltip="Where each turns; beyond 90 degrees of yaw it is seen from behind."
                ),
                io.BoundingBox.Output("boxes", tooltip="Their boxes, for core's nodes: one list per image."),
                io.Int.Output("count", tooltip="How many heads there are in all images."),
                io.String.Output("table", tooltip="A line per head: image, face, yaw, pitch, roll."),
            ],
        )

    @classmethod
    def execute(cls, detector, image, threshold, max_heads=0, missing="skip", size=1280) -> io.NodeOutput:
        network = detector.patcher.model
        if not hasattr(network, "heads"):
            raise ValueError(
                f"Expected a detector that gives angles, DirectMHP, got {type(network).__name__}: load directmhp, or "
                "find angles by Detect Faces, Find Landmarks and Estimate Head Pose."
            )
        found = detector.run(lambda network, chunk: network.heads(chunk, threshold, size), image)
        kept = found.select(pick_rows(found.faces, rank(found.faces, "score"), count=max_heads))
        pose = fill_missing_in(kept, missing)
        return io.NodeOutput(pose.faces, pose, convert.faces_to_boxes(pose.faces), len(pose), pose.table())


NODES = (LoadFaceDetector, DetectFaces, DetectHeads)
