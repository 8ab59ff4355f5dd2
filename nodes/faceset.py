"""A set of pictures to train a LoRA on: chosen, captioned, written."""

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io, ui
from PIL import Image

from ..likeness.faceset import captions, contact_sheet, curate
from . import convert, host


class CurateFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCurateFaces",
            display_name="Curate Faces",
            category="likeness/faceset",
            description="Chooses the faces to train on: sharp, of one person, from many sides, none of them twice.",
            search_aliases=["lora dataset", "training set", "face dataset", "best faces", "deduplicate", "sharpness"],
            inputs=[
                io.Image.Input("image", tooltip="Photos, or the frames of a video."),
                host.Faces.Input("faces", tooltip="All faces in them, from Detect Faces."),
                io.Int.Input("count", default=20, min=1, max=1000, tooltip="How many to choose at most."),
                io.String.Input(
                    "caption",
                    default="photo of ohwx person",
                    optional=True,
                    tooltip="The words of every caption; with a head pose, where it looks comes after them.",
                ),
                host.FaceEmbeddings.Input(
                    "embeddings", optional=True, tooltip="Who they are, from Embed Faces: strangers are left out."
                ),
                host.HeadPose.Input(
                    "head_pose", optional=True, tooltip="From Estimate Head Pose: many views are chosen."
                ),
                io.Int.Input(
                    "smallest",
                    default=96,
                    min=1,
                    max=4096,
                    optional=True,
                    advanced=True,
                    tooltip="Faces whose box is narrower are left out, pixels.",
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The chosen faces, in the order of the images; for Align Faces."),
                io.String.Output("captions", tooltip="A line for each chosen face, for Save Face Set."),
                io.Image.Output(
                    "sheet", tooltip="All faces: the chosen ones first, numbered, the others with why not."
                ),
                io.String.Output("report", tooltip="A line per face: chosen or why not, and its sharpness."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image,
        faces,
        count,
        caption="photo of ohwx person",
        embeddings=None,
        head_pose=None,
        smallest=96,
    ) -> io.NodeOutput:
        picture = convert.rgb(image)
        verdict = curate(picture, faces, count, embeddings, head_pose, smallest)
        rows = torch.tensor(sorted(verdict.chosen), dtype=torch.int64)
        pose = None if head_pose is None else head_pose.select(rows)
        lines = [
            f"image {index}, face {face}: sharpness {value:.3f}, {reason or 'chosen'}"
            for index, face, value, reason in zip(
                faces.image_index.tolist(), faces.id.tolist(), verdict.sharpness.tolist(), verdict.reasons, strict=True
            )
        ]
        words = captions(faces.select(rows), caption.strip(), pose)
        sheet = convert.to_host(contact_sheet(picture, faces, verdict))
        return io.NodeOutput(faces.select(rows), "\n".join(words), sheet, "\n".join(lines))


class SaveFaceSet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveFaceSet",
            display_name="Save Face Set",
            category="likeness/faceset",
            description="Writes pictures and, beside each, a text file of the same name with its caption, as trainers "
            "read them.",
            search_aliases=["save dataset", "lora dataset", "captions", "training folder", "kohya"],
            inputs=[
                io.Image.Input("images", tooltip="The pictures, from Align Faces."),
                io.String.Input(
                    "captions",
                    default="photo of ohwx person",
                    multiline=True,
                    tooltip="One line for all pictures, or one for each.",
                ),
                io.String.Input(
                    "filename_prefix", default="likeness/set/face", tooltip="Folder and name below the output folder."
                ),
            ],
            outputs=[io.String.Output("folder", tooltip="Where they are.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, captions, filename_prefix) -> io.NodeOutput:
        lines = [line.strip() for line in captions.splitlines() if line.strip()] or [""]
        if len(lines) not in (1, len(images)):
            raise ValueError(
                f"Expected 1 caption or {len(images)}, one per picture, got {len(lines)}: connect both from one "
                "Curate Faces."
            )
        size = (images.shape[2], images.shape[1])
        folder, name, number, sub, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory(), *size
        )
        shown = []
        for place, picture in enumerate(convert.rgb(images)):
            stem = f"{name}_{number + place:05}_"
            Path(folder, f"{stem}.txt").write_text(lines[place % len(lines)] + "\n", encoding="utf-8")
            pixels = (picture * 255).round().clamp(0, 255).byte().numpy()
            Image.fromarray(pixels).save(Path(folder, f"{stem}.png"), compress_level=4)
            shown.append(ui.SavedResult(f"{stem}.png", sub, io.FolderType.output))
        return io.NodeOutput(str(folder), ui={"images": shown})


NODES = (CurateFaces, SaveFaceSet)
