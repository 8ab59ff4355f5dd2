"""Face parsing nodes: what each pixel shows, as masks of the whole image."""

from comfy_api.latest import io

from ..likeness import parse
from ..likeness.geometry import check_image, cut, uncut
from ..likeness.select import fill_missing
from ..likeness.types import Faces
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("face_parsing")
NAMES = tuple(dict.fromkeys(system.name for system in parse.SYSTEMS))
REGIONS_TOOLTIP = (
    "What the mask covers: names apart by commas. all, face, skin, lips, upper_lip, lower_lip, mouth (between the "
    "lips), eyes, left_eye, irises, brows, nose, ... as far as the parser tells them apart; person, background. Left "
    "and right are the image's."
)


def regions_input() -> io.String.Input:
    return io.String.Input("regions", default="all", tooltip=REGIONS_TOOLTIP)


def read_regions(text: str) -> list[str]:
    """Names of classes and groups from text, apart by commas or lines."""
    names = [name.strip().lower().replace(" ", "_") for name in text.replace("\n", ",").split(",")]
    if not any(names):
        raise ValueError('Expected names of regions, got none: write, for example, "lips, eyes", or "all".')
    return [name for name in names if name]


class LoadFaceParser(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceParser",
            display_name="Load Face Parser",
            category="likeness/parse",
            description="Loads what tells lips, eyes, skin or whole people apart. A file of your own is recognised by "
            "its tensors.",
            search_aliases=[
                "face parsing",
                "face segmentation",
                "person mask",
                "hair mask",
                "portrait matte",
                "teeth mask",
                "segformer",
                *NAMES,
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, parse.SYSTEMS),
                    tooltip="mesh_regions: the parts of the face. selfie_segmentation: whole people against the "
                    "background. facexformer: the parts of the face and its hair. rtnet: these, "
                    "with 14 classes ears and glasses too. easyportrait: fp has teeth and skin without beard, ps whole "
                    "people; share-alike: what is made of its weights goes under their terms. Or a file in "
                    "models/face_parsing.",
                ),
                host.engine_input(),
                io.Combo.Input(
                    "size",
                    options=["auto", *map(str, parse.easyportrait.SIZES)],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="EasyPortrait only: the side that pictures are seen at, pixels. auto is the one that the "
                    "weights were trained at; a .pth or .safetensors file of your own does not say it, so choose. "
                    "Other models refuse a choice.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceParser.Output("parser", tooltip="The network, for Parse Faces.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, parse.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto", size="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, parse.SYSTEMS, engine)
        published = host.published_models(parse.SYSTEMS).get(model)
        trained = published.size if published else None
        parse.choose_size(loaded.patcher.model, trained if size == "auto" else int(size))
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class ParseFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessParseFaces",
            display_name="Parse Faces",
            category="likeness/parse",
            description="Masks of lips, eyes, brows, nose, hair, face or whole people, with soft edges.",
            search_aliases=[
                "face mask",
                "face segmentation",
                "lips mask",
                "eye mask",
                "person mask",
                "remove background",
            ],
            inputs=[
                host.FaceParser.Input("parser", tooltip="From Load Face Parser."),
                io.Image.Input("image", tooltip="Images or the frames of a video."),
                regions_input(),
                host.faces_input("Whom to parse; not needed for the person mask.", optional=True),
                missing_input("skip"),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="One mask per image, of all its faces together."),
                host.FaceParsing.Output("parsing", tooltip="All regions of each face, for Parsing to Mask."),
            ],
        )

    @classmethod
    def execute(cls, parser, image, regions, faces=None, missing="skip") -> io.NodeOutput:
        needs_faces = parser.patcher.model.needs_faces
        if faces is None and needs_faces:
            raise ValueError("Expected the faces to parse, got none: connect Detect Faces.")
        nobody = Faces.empty((image.shape[1], image.shape[2]), len(image))
        given = fill_missing(convert.to_faces(faces, image), missing) if needs_faces else nobody
        parsing = parser.run(lambda network, *chunk: network.parse(*chunk), image, given)
        return io.NodeOutput(convert.to_host(parse.to_mask(parsing, *read_regions(regions))), parsing)


class ParsingToMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessParsingToMask",
            display_name="Parsing to Mask",
            category="likeness/parse",
            description="Another mask from faces that were parsed once: other regions, without running the network.",
            search_aliases=["face mask", "lips mask", "eye mask", "hair mask", "skin mask"],
            inputs=[host.FaceParsing.Input("parsing", tooltip="From Parse Faces."), regions_input()],
            outputs=[io.Mask.Output("mask", tooltip="One mask per image, of all its faces together.")],
        )

    @classmethod
    def execute(cls, parsing, regions) -> io.NodeOutput:
        if parsing is None:
            raise ValueError("Expected a parsing, got none: this analyzer gives none; use Parse Faces.")
        return io.NodeOutput(convert.to_host(parse.to_mask(parsing, *read_regions(regions))))


class MaskFacePatches(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMaskFacePatches",
            display_name="Mask Face Patches",
            category="likeness/parse",
            description="Hides square patches of each face as FSFM's training does (CRFR-P): one facial region as a "
            "whole, and of all others the same share.",
            search_aliases=["CRFR-P", "FSFM", "masked image modeling", "patch mask", "MAE", "facial masking"],
            inputs=[
                host.FaceParsing.Input(
                    "parsing", tooltip="From Parse Faces; FaceXFormer and RTNet know hair, mesh_regions the rest."
                ),
                io.Image.Input("image", tooltip="The images that were parsed."),
                io.Combo.Input(
                    "region",
                    options=["random", *parse.crfrp.COVERED],
                    default="random",
                    tooltip="What is hidden as a whole. boundary: where skin meets hair or background. random: drawn "
                    "for each face.",
                ),
                io.Float.Input(
                    "ratio",
                    default=parse.crfrp.RATIO,
                    min=0.05,
                    max=0.95,
                    step=0.05,
                    tooltip="Share of the patches that are hidden; FSFM was trained with 0.75.",
                ),
                io.Int.Input("mask_seed", default=0, min=0, max=2**32 - 1, tooltip="Of what is drawn."),
                io.Combo.Input(
                    "patch",
                    options=["8", "14", "16", "28", "32"],
                    default="16",
                    optional=True,
                    advanced=True,
                    tooltip="Side of a patch in a crop of 224 pixels.",
                ),
            ],
            outputs=[
                io.Image.Output("crops", tooltip="The faces as FSFM sees them, 224 pixels, nothing hidden."),
                io.Mask.Output("mask", tooltip="Of the crops: the hidden patches."),
                io.Mask.Output("covered", tooltip="Of the crops: those of the region that is hidden as a whole."),
                io.Mask.Output("image_mask", tooltip="One mask per image: the hidden patches of all its faces."),
                host.FaceAlignment.Output("alignment", tooltip="How the crops were cut, for Paste Faces."),
            ],
        )

    @classmethod
    def execute(cls, parsing, image, region, ratio, mask_seed, patch="16") -> io.NodeOutput:
        if parsing is None:
            raise ValueError("Expected a parsing, got none: this analyzer gives none; use Parse Faces.")
        check_image(image, parsing.faces)
        made = parse.crfrp.mask_faces(parsing, region, ratio, int(patch), mask_seed)
        cutting, hidden = made.alignment, made.squares(made.hidden)
        crops = cut(convert.rgb(image), cutting.faces.image_index, cutting.matrix, cutting.size)
        masks = (hidden, made.squares(made.covered), uncut(hidden, cutting))
        return io.NodeOutput(convert.to_host(crops), *map(convert.to_host, masks), cutting)


NODES = (LoadFaceParser, ParseFaces, ParsingToMask, MaskFacePatches)
