"""Faces and words: which text fits whom, whom a text describes, questions, and a folder searched by a sentence."""

from ..graph import Column, Graph, Node, note, value

TEXTS = (
    "This person is smiling and has short blond hair.\nThis person wears eyeglasses and a hat.\nA face with a beard."
)
SENTENCE = "This person wears eyeglasses and a hat."

photo = Node("LoadImage", "Photo", image="likeness_two_people.jpg")
detector = Node("LikenessLoadFaceDetector")
loaded = Node("LikenessLoadTextMatcher", "Load Text Matcher: FLIP", model="flip/base")
faces = Node("LikenessDetectFaces", detector=detector["detector"], image=photo["IMAGE"])
seen = {"matcher": loaded["matcher"], "image": photo["IMAGE"], "faces": faces["faces"]}


def report(title: str, table: object) -> Node:
    """A table as it is read."""
    return Node("LikenessSaveReport", title, (320, 340), report=table, filename_prefix="reports/match", format="none")


all_drawn = Node("LikenessDrawFaces", "Draw all", image=photo["IMAGE"], faces=faces["faces"], points=False)
everybody = Node("PreviewImage", "Everybody", images=all_drawn["image"])

matched = Node("LikenessMatchTexts", "Match Texts", (320, 240), **seen, texts=TEXTS)
fits = report("Which text fits whom", matched["table"])
best = Node("PreviewAny", "The best for each", (320, 120), source=matched["best"])

found = Node("LikenessFindFacesByText", "Find Faces by Text", (320, 240), **seen, text="This person is smiling.")
drawn = Node("LikenessDrawFaces", image=photo["IMAGE"], faces=found["faces"], points=False)
shown = Node("PreviewImage", "Whom the text describes", images=drawn["image"])
order = report("In their order", found["table"])

asked = Node("LikenessAskAboutFaces", "Ask about Faces", (320, 360), **seen)
answers = Node("PreviewAny", "Answers", (320, 220), source=asked["table"])
tags = value("Words for a prompt", asked["tags"])

folder = Node(
    "LikenessEmbedFolder",
    detector=detector["detector"],
    embedder=loaded["embedder"],
    folder="",
    pattern="likeness_*",
)
sentence = Node("LikenessEmbedText", "Embed Text", (320, 140), matcher=loaded["matcher"], texts=SENTENCE)
nearest = Node("LikenessFindIdentity", who=sentence["embeddings"], gallery=folder["gallery"], count=5)
photos = report("Photos for the sentence", nearest["table"])
about = note(
    "**Faces in words.** FLIP was trained on 15 million faces and their descriptions: write as people describe a face, "
    "in English, at most 65 tokens a text.\n\n"
    "*Similarity* compares two vectors. *Probability* is of a head that looks at face and text together: slower, and "
    "the better judge. It knows how somebody looks, not who it is; race, gender and age are *apparent*.\n\n"
    "A folder is searched by vectors alone: put your photos into the input folder and name it on **Embed Folder**.",
    320,
)

GRAPH = Graph(
    Column((photo, about)),
    Column((detector, loaded), (folder, sentence)),
    Column((faces, all_drawn, everybody), (nearest, photos)),
    Column((matched, found, asked)),
    Column((fits, order, answers)),
    Column((best, tags, drawn, shown)),
    frames={
        "Faces": (photo, about, detector, loaded, faces, all_drawn, everybody),
        "Texts and faces": (matched, found, asked, fits, drawn, answers, best, shown, order, tags),
        "A folder and a sentence": (folder, sentence, nearest, photos),
    },
    pictures=(everybody,),
)
