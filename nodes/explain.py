"""Why an answer about a face was given: heat maps, and how well they lie on what they should."""

import comfy.model_management
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io

from ..likeness import onnx
from ..likeness.audit import classifier as classifiers
from ..likeness.audit import explanation, expression_explainability, heat_map, overlap
from ..likeness.draw import tint
from ..likeness.geometry import uncut
from ..likeness.select import fill_missing
from ..likeness.types import NoFaceError
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("face_classifier")
METHODS = ("occlusion", "lime", "grad_cam")
PAIRS = ("one by one", "each with each")


def find_classifier(name: str) -> str:
    """The path of a classifier's file.

    Raises:
        FileNotFoundError: There is none; says where to put it.
    """
    path = folder_paths.get_full_path(FOLDER, name) if name else None
    if path is None or not path.lower().endswith(".onnx"):
        raise FileNotFoundError(
            f"Expected an .onnx file in models/{FOLDER}, got {name or 'none'}: put a classifier of your own there; a "
            "network of another kind is exported by torch.onnx.export."
        )
    return path


def read_names(text: str, count: int, kind: str) -> list[str]:
    """Names from text, commas or lines between; numbers where there is none.

    Raises:
        ValueError: There are more or fewer of them, or one stands there twice.
    """
    names = classifiers.parse_labels(text) or [f"{kind} {number}" for number in range(count)]
    if len(names) != count:
        raise ValueError(f"Expected {count} names, one for each {kind}, got {len(names)}: write as many, or none.")
    return names


class LoadFaceClassifier(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = [name for name in host.list_models(FOLDER, ()) if name.lower().endswith(".onnx")]
        return io.Schema(
            node_id="LikenessLoadFaceClassifier",
            display_name="Load Face Classifier",
            category="likeness/explain",
            description="Loads an ONNX network of your own that says what a face is: an expression, an age group. "
            "None is shipped.",
            search_aliases=["expression classifier", "emotion recognition", "FER", "onnx classifier", "age classifier"],
            inputs=[
                io.Combo.Input("model", options=files, tooltip="An .onnx file in models/face_classifier."),
                io.String.Input(
                    "labels",
                    default="Anger, Disgust, Fear, Happiness, Sadness, Surprise",
                    multiline=True,
                    tooltip="What its outputs are called, in their order, commas or lines between. The file does not "
                    "say: look at where you got it.",
                ),
                io.Combo.Input(
                    "pixels",
                    options=list(classifiers.PIXELS),
                    default="0 to 1",
                    tooltip="The range that it was trained on; ImageNet takes off that data set's mean.",
                ),
                io.Combo.Input(
                    "order",
                    options=list(classifiers.ORDERS),
                    default="RGB",
                    optional=True,
                    advanced=True,
                    tooltip="Of the colours; networks trained by OpenCV often take BGR.",
                ),
                io.Combo.Input(
                    "output",
                    options=list(classifiers.OUTPUTS),
                    default="logits",
                    optional=True,
                    advanced=True,
                    tooltip="logits: softmax is still to be done. scores: the graph has done it, or gives a sigmoid "
                    "for each label.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceClassifier.Output("classifier", tooltip="The network, for Explain Face.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        try:
            return bool(find_classifier(model))
        except FileNotFoundError as error:
            return str(error)

    @classmethod
    def execute(cls, model, labels, pixels, order="RGB", output="logits", engine="auto") -> io.NodeOutput:
        device = str(comfy.model_management.get_torch_device())
        running = onnx.Model(onnx.read(find_classifier(model)), engine, device)
        named = classifiers.parse_labels(labels)
        loaded = host.Model(classifiers.Classifier(running, named, pixels, order, output).eval())
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class ExplainFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessExplainFace",
            display_name="Explain Face",
            category="likeness/explain",
            description="A heat map of what an answer hangs on: why a classifier says happy, or what in a face makes "
            "it this person.",
            search_aliases=["saliency", "heatmap", "XAI", "LIME", "Grad-CAM", "occlusion", "attention map", "why"],
            inputs=[
                io.MultiType.Input(
                    "model",
                    [host.FaceClassifier, host.FaceEmbedder],
                    tooltip="From Load Face Classifier, or from Load Face Embedder: then the answer is who it is.",
                ),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whom to explain; an embedder needs their five points."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="occlusion",
                    tooltip="occlusion hides a patch at a time. lime hides regions at random and is finer with many "
                    "samples. grad_cam asks a layer once; it needs a classifier on the torch engine.",
                ),
                io.String.Input(
                    "label",
                    default="",
                    optional=True,
                    tooltip="Which of the classifier's labels to explain; empty: each face's own most likely one.",
                ),
                host.FaceEmbeddings.Input(
                    "reference",
                    optional=True,
                    tooltip="For an embedder: whom the faces are compared to, from Embed Faces. Without it each to "
                    "itself.",
                ),
                io.Combo.Input(
                    "sign",
                    options=list(heat_map.SIGNS),
                    default="for",
                    optional=True,
                    tooltip="Show what speaks for the answer, against it, or both alike.",
                ),
                io.Combo.Input(
                    "fill",
                    options=list(heat_map.FILLS),
                    default="gray",
                    optional=True,
                    tooltip="What is seen where something is hidden; the paper's LIME takes black.",
                ),
                io.Float.Input(
                    "patch",
                    default=0.125,
                    min=0.01,
                    max=1.0,
                    step=0.005,
                    optional=True,
                    advanced=True,
                    tooltip="Of occlusion: the side of a patch, as a share of the picture's. Half of it takes four "
                    "times as long.",
                ),
                io.Float.Input(
                    "stride",
                    default=0.5,
                    min=0.05,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Of occlusion: from patch to patch, as a share of the patch.",
                ),
                io.Int.Input(
                    "regions",
                    default=30,
                    min=2,
                    max=1000,
                    optional=True,
                    advanced=True,
                    tooltip="Of lime: about how many regions a face is cut into.",
                ),
                io.Int.Input(
                    "samples",
                    default=1000,
                    min=10,
                    max=100000,
                    optional=True,
                    advanced=True,
                    tooltip="Of lime: how many pictures are looked at for each face.",
                ),
                io.Int.Input(
                    "lime_seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    optional=True,
                    advanced=True,
                    tooltip="Of lime: which regions are hidden when.",
                ),
                io.Combo.Input(
                    "segments",
                    options=list(heat_map.SEGMENTS),
                    default="slic",
                    optional=True,
                    advanced=True,
                    tooltip="Of lime: regions of like colour (needs scikit-image), or squares.",
                ),
                io.String.Input(
                    "layer",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Of grad_cam: the layer's name; a wrong one is answered with some that there are. Empty: "
                    "the last map.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.0,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Side of the square that is cut around a face, in longer sides of its box; 0: 1.2 for a "
                    "classifier, 2 for an embedder.",
                ),
                missing_input("skip"),
            ],
            outputs=[
                io.Mask.Output("heat_map", tooltip="One per image, of all its faces; each face's largest value is 1."),
                io.Image.Output("overlay", tooltip="The images with the heat on them."),
                host.Table.Output("table", tooltip="A row per face: what was explained, and how sure the answer is."),
                io.String.Output("answer", tooltip="What was explained of the first face; empty where there is none."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        image,
        faces,
        method,
        label="",
        reference=None,
        sign="for",
        fill="gray",
        patch=0.125,
        stride=0.5,
        regions=30,
        samples=1000,
        lime_seed=0,
        segments="slic",
        layer="",
        margin=0.0,
        missing="skip",
    ) -> io.NodeOutput:
        pixels, found = convert.rgb(image), fill_missing(convert.to_faces(faces, image), missing)
        how = {
            "occlusion": heat_map.Occlusion(patch, stride, fill),
            "lime": heat_map.Lime(regions, samples, lime_seed, fill, segments),
            "grad_cam": explanation.GradCam(layer.strip()),
        }[method]
        network = model.ready()
        alignment = explanation.cut_for(network, found, margin)
        progress = comfy.utils.ProgressBar(len(found) * how.count(alignment.size))
        each = list(explanation.explain(network, pixels, alignment, how, label, reference, progress.update))
        squares = [heat_map.tone(one.heat, sign) for one in each]
        heat = uncut(torch.stack(squares) if squares else torch.zeros(0, alignment.size, alignment.size), alignment)
        table = explanation.explained_table(found, each)
        overlay = tint(pixels, heat, 0.8)
        return io.NodeOutput(convert.to_host(heat), convert.to_host(overlay), table, each[0].answer if each else "")


class CompareHeatMaps(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCompareHeatMaps",
            display_name="Compare Heat Maps",
            category="likeness/explain",
            description="How well heat maps lie on masks: Otsu's threshold, IoU, F1, precision and recall; and how "
            "alike the heat maps are.",
            search_aliases=["IoU", "intersection over union", "F1", "otsu", "saliency metric", "mask overlap"],
            inputs=[
                io.Mask.Input("heat_maps", tooltip="From Explain Face or Warp to Canonical Face."),
                io.Mask.Input("masks", tooltip="What they should lie on, of the same size, such as Expression Mask."),
                io.Combo.Input(
                    "pairs",
                    options=list(PAIRS),
                    default="one by one",
                    tooltip="One by one: each heat map with its mask, or all with the only one. Each with each: all "
                    "combinations.",
                ),
                io.Boolean.Input(
                    "average",
                    default=False,
                    tooltip="First make one heat map of all: their mean, stretched, as the paper does for many faces.",
                ),
                io.String.Input(
                    "names",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="What the heat maps are called, commas or lines between.",
                ),
                io.String.Input(
                    "mask_names",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="What the masks are called, commas or lines between.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Over which value a pixel is hot; 0 lets Otsu's method say it for each map.",
                ),
            ],
            outputs=[
                host.Report.Output("report", tooltip="For Save Report."),
                host.Table.Output("table", tooltip="A row per pair."),
                io.Float.Output("iou", tooltip="Intersection over union, the mean of all rows."),
                io.Mask.Output("hot", tooltip="The heat maps after the threshold."),
            ],
        )

    @classmethod
    def execute(cls, heat_maps, masks, pairs, average, names="", mask_names="", threshold=0.0) -> io.NodeOutput:
        if not len(heat_maps) or not len(masks):
            raise NoFaceError(f"Expected heat maps and masks, got {len(heat_maps)} and {len(masks)}: is there a face?")
        heat = convert.mask(heat_maps)
        heat = expression_explainability.stretched_mean(heat) if average else heat
        heat_names, at = read_names(names, len(heat), "heat map"), threshold or None
        every = read_names(mask_names, len(masks), "mask")
        rows = expression_explainability.compare(heat, convert.mask(masks), heat_names, every, pairs == PAIRS[1], at)
        report = expression_explainability.report(rows, heat, heat_names, at)
        hot = torch.stack([overlap.threshold(one, at)[0] for one in heat]).float()
        mean = float(report.table.numbers("IoU").mean())
        return io.NodeOutput(report, report.table, mean, convert.to_host(hot))


NODES = (LoadFaceClassifier, ExplainFace, CompareHeatMaps)
