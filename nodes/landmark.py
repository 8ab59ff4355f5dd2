"""Landmark nodes: points on each face, and where the head turns."""

import math
from dataclasses import replace

from comfy_api.latest import io

from ..likeness import landmark
from ..likeness.landmark.five import kps_from_landmarks
from ..likeness.landmark.procrustes import pose
from ..likeness.select import fill_missing_in
from ..likeness.types import NoFaceError
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("face_landmark")
host.model_folder("detection")  # core's own, where its MediaPipe file lies

NAMES = dict.fromkeys(system.name for system in landmark.SYSTEMS)


class LoadFaceLandmarker(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceLandmarker",
            display_name="Load Face Landmarker",
            category="likeness/landmark",
            description="Loads a network that puts points on a face. A file of your own is recognised by its tensors.",
            search_aliases=[
                "face mesh",
                "mediapipe",
                "facial landmarks",
                "blendshapes",
                "68 landmarks",
                "face alignment",
                *NAMES,
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, landmark.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_landmark.",
                ),
                host.engine_input(),
                io.Combo.Input(
                    "flip",
                    options=["auto", "on", "off"],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="FAN only: on looks at the mirrored face, too, and takes the mean, which doubles the time; "
                    "auto is on. Other models refuse a choice.",
                ),
                io.Combo.Input(
                    "decode",
                    options=["auto", "subpixel", "reference"],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="FAN only: subpixel places points between pixels; reference on whole ones, exactly as the "
                    "authors' code does; auto is subpixel. Other models refuse a choice.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceLandmarker.Output("landmarker", tooltip="The network, for Find Landmarks.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, landmark.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto", flip="auto", decode="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, landmark.SYSTEMS, engine)
        landmark.choose(loaded.patcher.model, flip=flip, decode=decode)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class FindLandmarks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFindLandmarks",
            display_name="Find Landmarks",
            category="likeness/landmark",
            description="Puts points on every face: eyes, brows, lips, nose and outline; a mesh with depth and irises, "
            "or iBUG's 68.",
            search_aliases=[
                "face mesh",
                "mediapipe",
                "facial landmarks",
                "face points",
                "openpose face",
                "68 landmarks",
                "dlib",
                "face alignment",
                "fan",
            ],
            inputs=[
                host.FaceLandmarker.Input("landmarker", tooltip="From Load Face Landmarker."),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whose landmarks to find; boxes do for heads tilted by up to 35 degrees."),
            ],
            outputs=[
                host.Landmarks.Output("landmarks", tooltip="The points of each face, in their order."),
                host.FaceLandmarks.Output("face_landmarks", tooltip="The same for core's MediaPipe nodes."),
                host.PoseKeypoint.Output("keypoints", tooltip="The same as OpenPose's 70 face points, to draw them."),
                host.Faces.Output("faces", tooltip="The same faces, their five points taken from the landmarks."),
            ],
        )

    @classmethod
    def execute(cls, landmarker, image, faces) -> io.NodeOutput:
        given = convert.to_faces(faces, image)
        found = landmarker.run(lambda network, *chunk: network.landmarks(*chunk), image, given)
        aligned = replace(given, kps=kps_from_landmarks(found))
        return io.NodeOutput(found, convert.from_landmarks(found), convert.to_keypoints(found), aligned)


class EstimateHeadPose(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEstimateHeadPose",
            display_name="Estimate Head Pose",
            category="likeness/landmark",
            description="Where each head turns, seen in the image: yaw (nose right), pitch (nose up) and roll "
            "(clockwise), in degrees.",
            search_aliases=["head pose", "yaw pitch roll", "head rotation", "face angle", "procrustes"],
            inputs=[
                host.landmarks_input("From Find Landmarks, or from core's own node."),
                io.Int.Input(
                    "face", default=0, min=0, max=999, tooltip="Whose angles to give: its line in the table, from 0."
                ),
                missing_input(),
            ],
            outputs=[
                host.HeadPose.Output("head_pose", tooltip="The angles of all faces."),
                io.Float.Output("yaw", tooltip="Degrees, positive when the nose moves to the image's right."),
                io.Float.Output("pitch", tooltip="Degrees, positive when the nose moves up."),
                io.Float.Output("roll", tooltip="Degrees, positive when the head tilts clockwise."),
                io.String.Output("table", tooltip="A line per face: image, face, yaw, pitch, roll."),
            ],
        )

    @classmethod
    def execute(cls, landmarks, face=0, missing="error") -> io.NodeOutput:
        angles = fill_missing_in(pose(convert.to_landmarks(landmarks)), missing)
        rows = angles.rows()
        if face < len(rows):
            chosen = rows[face]
        elif missing == "skip":
            chosen = [math.nan] * 3
        else:
            raise NoFaceError(f"Expected a face number {face}, counted from 0, got {len(rows)} faces in all.")
        return io.NodeOutput(angles, *chosen, angles.table())


NODES = (LoadFaceLandmarker, FindLandmarks, EstimateHeadPose)
