"""Faces and texts: how well they fit, faces found by a text, and questions that faces answer."""

import json
from dataclasses import replace

from comfy_api.latest import io
from torch import Tensor

from ..likeness import analyze, match
from ..likeness.analyze.reading import NOTE
from ..likeness.audit.table import Table
from ..likeness.match.retrieval import PUBLISHED
from ..likeness.types import Faces, Matches, NoFaceError
from . import convert, host

FOLDER = host.model_folder("face_embedding")
BY_VECTORS, BY_HEAD = "similarity", "matching head"
QUESTIONS = "eyeglasses\nsmile = This person is smiling. | This person is not smiling.\n"
QUESTIONS += "hair: black hair | blond hair | brown hair | gray hair"


def matcher_input() -> host.TextMatcher.Input:
    return host.TextMatcher.Input("matcher", tooltip="From Load Text Matcher.")


class LoadTextMatcher(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadTextMatcher",
            display_name="Load Text Matcher",
            category="likeness/match",
            description="Loads what compares faces with texts. It knows how a face looks in words, not who it is.",
            search_aliases=["clip for faces", "facecaption", "vision language", *(s.name for s in match.SYSTEMS)],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, match.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_embedding with its vocabulary in it.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                host.TextMatcher.Output("matcher", tooltip="The network, for the nodes beside this one."),
                host.FaceEmbedder.Output("embedder", tooltip="The same for Embed Faces and Embed Folder."),
            ],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, match.SYSTEMS)

    @classmethod
    def execute(cls, model) -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, match.SYSTEMS)
        loaded.weights = host.terms(model, match.SYSTEMS)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded, loaded)


class EmbedText(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEmbedText",
            display_name="Embed Text",
            category="likeness/match",
            description="A vector per text, of the same space as the faces of the same network: for Find Identity "
            "in a folder of photos, and for Rank by Identity.",
            search_aliases=["text embedding", "search photos by text", "clip text", "describe a face"],
            inputs=[
                matcher_input(),
                io.String.Input(
                    "texts",
                    default="This person is smiling and has long wavy hair.",
                    multiline=True,
                    tooltip="English, a text a line, each of at most 65 tokens.",
                ),
            ],
            outputs=[host.FaceEmbeddings.Output("embeddings", tooltip="One per text, in their order.")],
        )

    @classmethod
    def execute(cls, matcher, texts) -> io.NodeOutput:
        return io.NodeOutput(embed_texts(matcher, match.read_texts(texts)))


def embed_texts(matcher: host.Model, texts: tuple[str, ...]):
    return replace(matcher.ready().embed_text(texts), weights=matcher.weights)


class MatchTexts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMatchTexts",
            display_name="Match Texts",
            category="likeness/match",
            description="How well each text fits each face: the similarity of their vectors, and the judgement of the "
            "head that looks at both.",
            search_aliases=["face text similarity", "clip score", "prompt adherence", "image text matching", "ITM"],
            inputs=[
                matcher_input(),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whom to compare; boxes are enough."),
                io.String.Input(
                    "texts",
                    default="This person is smiling.\nThis person looks sad.",
                    multiline=True,
                    tooltip="English, a text a line, each of at most 65 tokens.",
                ),
            ],
            outputs=[
                host.Table.Output("table", tooltip="A row per face and text: similarity, and the head's probability."),
                io.String.Output(
                    "best", tooltip="A line per face: the text that fits it best by the head's judgement."
                ),
                io.Float.Output(
                    "similarity", tooltip="Of the first face and the first text; not a number without one."
                ),
                io.Float.Output("probability", tooltip="That they belong together, by the head; likewise."),
            ],
        )

    @classmethod
    def execute(cls, matcher, image, faces, texts) -> io.NodeOutput:
        wanted = match.read_texts(texts)
        found = judge(matcher, image, convert.to_faces(faces, image), wanted)
        best = "\n".join(wanted[number] for number in found.score.argmax(1).tolist())
        heads = (
            float(values[0, 0]) if len(found) else float("nan") for values in (found.similarity, found.probability)
        )
        return io.NodeOutput(write_matches(found), best, *heads)


def judge(matcher: host.Model, image: Tensor, faces: Faces, texts: tuple[str, ...]) -> Matches:
    return matcher.run(lambda network, *chunk: network.match(*chunk, texts), image, faces)


def write_matches(found: Matches) -> Table:
    whose = zip(found.faces.image_index.tolist(), found.faces.id.tolist(), strict=True)
    values = zip(whose, found.similarity.tolist(), found.probability.tolist(), strict=True)
    rows = [
        (*face, text, near, sure)
        for face, similar, probable in values
        for text, near, sure in zip(found.texts, similar, probable, strict=True)
    ]
    return Table.of(("image", "face", "text", "similarity", "probability"), rows)


class FindFacesByText(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFindFacesByText",
            display_name="Find Faces by Text",
            category="likeness/match",
            description="The faces that a text describes, the best first: by the similarity of vectors, and the first "
            "of these once more by the head that looks at face and text together.",
            search_aliases=["text to image retrieval", "search faces", "best of n", "pick by description", "rerank"],
            inputs=[
                matcher_input(),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Among whom to look; boxes are enough."),
                io.String.Input(
                    "text",
                    default="This person is smiling and has long wavy hair.",
                    multiline=True,
                    tooltip="English, one text of at most 65 tokens.",
                ),
                io.Int.Input("keep", default=1, min=0, max=10000, tooltip="How many faces to give; 0: all, sorted."),
                io.Int.Input(
                    "rerank",
                    default=PUBLISHED,
                    min=0,
                    max=10000,
                    optional=True,
                    advanced=True,
                    tooltip="How many of the nearest the head looks at: as published 256. 0: none, which is faster.",
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces that were found, in their images' order."),
                io.Image.Output("image", tooltip="Their images, that of the best face first, each once."),
                host.Table.Output("table", tooltip="A row per face, the best first; without a score the head did not "
                                  "look."),
                io.Float.Output("similarity", tooltip="Of the best face and the text."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, matcher, image, faces, text, keep, rerank=PUBLISHED) -> io.NodeOutput:
        among = convert.to_faces(faces, image)
        if not len(among):
            raise NoFaceError(f"Expected a face in one of {among.image_count} images, got none: nothing can be found.")
        wanted = (" ".join(text.split()),)
        near = similarities(matcher, image, among, wanted)[:, 0]
        looked = match.first(near, rerank)
        judged = judge(matcher, image, among.select(looked), wanted) if rerank else None
        ranking = match.order(near, looked, judged)
        kept = ranking.row[: keep or len(ranking)]
        pictures = list(dict.fromkeys(among.image_index[kept].tolist()))
        found = among.select(kept.sort().values)
        return io.NodeOutput(found, image[pictures], write_ranking(ranking, among), float(ranking.similarity[0]))


def similarities(matcher: host.Model, image: Tensor, faces: Faces, texts: tuple[str, ...]) -> Tensor:
    """(N, K) of the vectors of each face and text."""
    wanted = embed_texts(matcher, texts)  # before the faces: a text that is refused costs nothing
    return matcher.run(lambda network, *chunk: network.embed(*chunk), image, faces).similarity(wanted)


def write_ranking(ranking: match.Ranking, faces: Faces) -> Table:
    whose = faces.image_index[ranking.row], faces.id[ranking.row]
    columns = (*whose, ranking.similarity, ranking.probability, ranking.score)
    rows = zip(range(1, len(ranking) + 1), *(column.tolist() for column in columns), strict=True)
    return Table.of(("place", "image", "face", "similarity", "probability", "score"), rows)


class AskAboutFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAskAboutFaces",
            display_name="Ask about Faces",
            category="likeness/match",
            description="Attributes in your own words, without a head trained for them: yes or no, or one of several. "
            "What is said of race, gender and age is apparent, a model's output.",
            search_aliases=["zero-shot", "face attributes", "open vocabulary", "clip interrogate", "classify faces"],
            inputs=[
                matcher_input(),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whom to ask about; boxes are enough."),
                io.String.Input(
                    "questions",
                    default=QUESTIONS,
                    multiline=True,
                    tooltip="A line each. Yes or no: a label, or label = text for yes | text for no. One of several: "
                    "name: answer | answer. An answer, too, may have a text of its own: bald = A man without hair.",
                ),
                io.String.Input(
                    "template", default="This person has {}.", tooltip="The text of a label: {} is the label."
                ),
                io.String.Input(
                    "opposite", default="This person has no {}.", tooltip="The text of its opposite, for yes and no."
                ),
                io.Combo.Input(
                    "by",
                    options=[BY_VECTORS, BY_HEAD],
                    default=BY_VECTORS,
                    tooltip="similarity: texts are weighed against each other, as CLIP does. matching head: it looks "
                    "at the face with each text; a yes needs no opposite then. Slower.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="From which probability a label is told, in the table and in the tags.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                host.Attributes.Output("attributes", tooltip="All probabilities, for Select by Attributes."),
                io.String.Output("table", tooltip="A line per face and finding: image, face, set, label, probability."),
                io.String.Output("tags", tooltip="A line of words per face, apart by commas, for a prompt."),
                io.String.Output("json", tooltip="All probabilities of each face, for other programs."),
            ],
        )

    @classmethod
    def execute(
        cls, matcher, image, faces, questions, template, opposite, by=BY_VECTORS, threshold=0.5
    ) -> io.NodeOutput:
        asked, given = match.read_questions(questions, template, opposite), convert.to_faces(faces, image)
        opposites = by == BY_VECTORS
        texts = match.texts_of(asked, opposites)
        if opposites:
            evidence = similarities(matcher, image, given, texts) / matcher.ready().temperature
        else:
            evidence = judge(matcher, image, given, texts).logits.diff(dim=-1)[..., 0]
        told = match.answer(given, asked, evidence, opposites)
        if marked := [label for group in told.sets for label in group.apparent]:
            host.show(cls, f"{', '.join(marked)}: {NOTE}")
        tables = analyze.to_table(told, threshold), analyze.to_tags(told, threshold)
        return io.NodeOutput(told, *tables, json.dumps(analyze.to_records(told), indent=1))


NODES = (LoadTextMatcher, EmbedText, MatchTexts, FindFacesByText, AskAboutFaces)
