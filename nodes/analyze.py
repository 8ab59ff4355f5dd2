"""Analysis nodes: what a model sees in each face, as tables, as words for prompts, and to choose faces by."""

import json

import comfy.utils
from comfy_api.latest import io

from ..likeness import analyze
from ..likeness.analyze.reading import NOTE
from ..likeness.audit import photo_scores
from ..likeness.select import fill_missing, fill_missing_in
from ..likeness.types import same_faces
from . import convert, host
from .missing import missing_input
from .reports import check_input, input_path, state_of

FOLDER = host.model_folder("face_analyzer")


class LoadFaceAnalyzer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceAnalyzer",
            display_name="Load Face Analyzer",
            category="likeness/analyze",
            description="Loads what tells attributes of faces: smile, hair, glasses, apparent age and more; or how "
            "real a face looks. A file of your own is recognised by its tensors.",
            search_aliases=[
                "face attributes",
                "age estimation",
                "gender",
                "celeba",
                "deepfake detection",
                "anti-spoofing",
                "liveness",
                *dict.fromkeys(system.name for system in analyze.SYSTEMS),
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, analyze.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_analyzer.",
                ),
                host.engine_input(),
                io.Combo.Input(
                    "preparation",
                    options=["auto", *analyze.fsfm_detectors.PREPARATIONS],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="FSFM's two-class detectors only: how pictures are made for them. auto is what the "
                    "published weights were trained on; a file of your own does not say it, so choose: which photos' "
                    "mean colour, and whether only the middle of the square is seen. Other models refuse a choice.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceAnalyzer.Output("analyzer", tooltip="The network, for Analyze Faces.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, analyze.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto", preparation="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, analyze.SYSTEMS, engine)
        analyze.choose_preparation(loaded.patcher.model, preparation, model)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class AnalyzeFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAnalyzeFaces",
            display_name="Analyze Faces",
            category="likeness/analyze",
            description="What a model sees in each face: attributes with their probabilities, as a table and as words "
            "for prompts, and what else it tells in one look. Race, gender and age are apparent, a model's output: how "
            "a face looks to it, not who a person is.",
            search_aliases=["face attributes", "age", "gender", "smile", "tag faces", "caption faces", "head pose"],
            inputs=[
                host.FaceAnalyzer.Input("analyzer", tooltip="From Load Face Analyzer."),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whom to analyze; boxes are enough."),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="From which probability a label is told, in the table and in the tags.",
                ),
                io.String.Input(
                    "sets",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="What the tags are made of: names of sets apart by commas, as the table has them, for "
                    "example celeba40, age. Empty: all but what tells race, gender or age.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                host.Attributes.Output("attributes", tooltip="All probabilities, for Select by Attributes."),
                io.String.Output(
                    "table",
                    tooltip="A line per face and finding: image, face, set, label, probability; race, gender and age "
                    "are marked as apparent.",
                ),
                io.String.Output("tags", tooltip="A line of words per face, apart by commas, for a prompt."),
                io.String.Output("json", tooltip="All probabilities of each face, for other programs."),
                host.HeadPose.Output(
                    "head_pose", tooltip="Where each head turns, as the network sees it; none if it does not tell it."
                ),
                host.Landmarks.Output("landmarks", tooltip="Points of each face; none if the network has none."),
                host.FaceParsing.Output(
                    "parsing", tooltip="For Parsing to Mask: the regions of each face; none if the network has none."
                ),
            ],
        )

    @classmethod
    def execute(cls, analyzer, image, faces, threshold=0.5, sets="") -> io.NodeOutput:
        given = convert.to_faces(faces, image)
        seen = analyzer.run(lambda network, *chunk: network.analyze(*chunk), image, given)
        told = seen.attributes
        if marked := [group.name for group in told.sets if group.apparent]:
            host.show(cls, f"{', '.join(marked)}: {NOTE}")
        texts = (
            analyze.to_table(told, threshold),
            analyze.to_tags(told, threshold, sets),
            json.dumps(analyze.to_records(told), indent=1),
        )
        return io.NodeOutput(told, *texts, seen.head_pose, seen.landmarks, seen.parsing)


class SelectByAttributes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSelectByAttributes",
            display_name="Select by Attributes",
            category="likeness/analyze",
            description="Keeps the faces of which all conditions hold: who smiles, who wears no glasses. What is said "
            "of race, gender and age is apparent, a model's output.",
            search_aliases=["filter faces", "smiling faces", "filter by attribute", "select faces", "age filter"],
            inputs=[
                host.Attributes.Input("attributes", tooltip="From Analyze Faces."),
                io.String.Input(
                    "conditions",
                    default="smiling",
                    multiline=True,
                    tooltip="Apart by commas or lines, all must hold: a label (smiling), not and a label (not "
                    "eyeglasses), or a label or measure with a number (smiling > 0.9). A label that two sets have is "
                    "named with its set: gender.male.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="From which probability a label without a number holds.",
                ),
                host.Faces.Input(
                    "faces",
                    optional=True,
                    tooltip="The same faces with what another node added, five points for example; else those of the "
                    "attributes.",
                ),
                missing_input("skip"),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces kept, in their order; each keeps its id."),
                host.Attributes.Output("attributes", tooltip="Of these faces."),
                io.Int.Output("count", tooltip="How many they are in all images."),
            ],
        )

    @classmethod
    def execute(cls, attributes, conditions, threshold=0.5, faces=None, missing="skip") -> io.NodeOutput:
        given = attributes.faces if faces is None else faces
        same_faces(given, attributes)
        kept = analyze.holds(attributes, conditions, threshold)
        people = fill_missing(given.select(kept), missing)
        return io.NodeOutput(people, fill_missing_in(attributes.select(kept), missing), len(people))


class AnalyzePhotos(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAnalyzePhotos",
            display_name="Analyze Photos",
            category="likeness/analyze",
            description="What an analyzer tells of each photo that a table lists, as columns beside what is known of "
            "it: for Slice Report, or Spoof Report. A bad photo is listed, and nothing else is lost.",
            search_aliases=["batch analysis", "score photos", "test set", "evaluate analyzer", "folder of photos"],
            inputs=[
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector."),
                host.FaceAnalyzer.Input("analyzer", tooltip="From Load Face Analyzer: who is judged."),
                host.Table.Input("table", tooltip="A row per photo, from Load Table."),
                io.String.Input("column", default="file", tooltip="The column that names each photo."),
                io.String.Input(
                    "folder", default="", tooltip="The photos' folder in the input folder; empty: the input folder."
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="How sure the detector must be.",
                ),
            ],
            outputs=[
                host.Table.Output(
                    "table",
                    tooltip="Its rows with a column for each measure, such as score_real, and for each label, such as "
                    "celeba40.Smiling; missing where a photo is bad.",
                ),
                host.Table.Output("bad", tooltip="Photos without a face, and why."),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder) -> bool | str:
        return check_input(folder)

    @classmethod
    def fingerprint_inputs(cls, folder, **_) -> float:
        return state_of(folder)

    @classmethod
    def execute(cls, detector, analyzer, table, column, folder, threshold=0.5) -> io.NodeOutput:
        names = table.texts(column)
        networks = (detector.ready(), analyzer.ready())
        progress, seen = comfy.utils.ProgressBar(len(names)), []
        for one in photo_scores.look(names, input_path(folder), *networks, threshold):
            seen.append(one)
            progress.update(1)
        return io.NodeOutput(*photo_scores.add_columns(table, seen))


NODES = (LoadFaceAnalyzer, AnalyzeFaces, SelectByAttributes, AnalyzePhotos)
