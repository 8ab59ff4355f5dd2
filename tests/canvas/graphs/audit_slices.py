"""Does a model do as well for everybody?"""

from ..graph import Column, Graph, Node, note, value

table = Node("LikenessLoadTable", file="likeness_slices.csv")
sliced = Node(
    "LikenessSliceReport",
    table=table["table"],
    metric="accuracy",
    prediction="prediction",
    truth="truth",
    groups="skin_type, light",
    small=25,
    sample_by="subject",
)
saved = Node("LikenessSaveReport", "Save it", (420, 640), report=sliced["report"], filename_prefix="reports/slices")
figure = Node("PreviewImage", "Figure", (420, 560), images=saved["figure"])
text = Node("PreviewAny", "Report", (420, 420), source=saved["markdown"])
columns = value("Columns", table["columns"])
about = note(
    "**Accuracy per group.** The table is made up: does each of 60 people smile, and what did a model say?\n\n"
    "People have four videos each, so *sample by* names them: their rows are drawn together. Pale slices are "
    "small: they are shown, and left out of the gaps. People who did not say are a slice of their own.",
    240,
)

GRAPH = Graph(
    Column((table, columns, about)),
    Column(sliced),
    Column(saved),
    Column((figure, text)),
    frames={
        "What is known": (table, columns, about),
        "How well, for whom?": (sliced,),
        "The report": (saved, figure, text),
    },
    pictures=(figure,),
)
