"""Who is confused more often, and by what?"""

from ..graph import Column, Graph, Node, note, value

designed = Node("LikenessDesignExperiment", "", (420, 560), seeds=8)
plan = Node(
    "LikenessSaveReport", "Save design", (320, 300), report=designed["design"], filename_prefix="reports/design"
)
count = value("Faces to make", designed["count"])
table = Node("LikenessLoadTable", file="likeness_pairs.csv")
bias = Node("LikenessBiasReport", pairs=table["table"], fmr=0.01, small=5)
saved = Node("LikenessSaveReport", "Save it", (460, 900), report=bias["report"], filename_prefix="reports/bias")
figure = Node("PreviewImage", "Figure", (460, 900), images=saved["figure"])
text = Node("PreviewAny", "Report", (460, 420), source=saved["markdown"])
threshold = value("One threshold", bias["threshold"])
about = note(
    "**One thing at a time.** *prompts* go to CLIP Text Encode, *seeds* to KSampler: each runs once for every "
    "face. Rebatch Images joins the pictures, in order; find and embed the faces there, then **Pair Faces** "
    "with the design.\n\n"
    "The report reads made-up scores. Without judgements of people it says so: a generator that changes the "
    "person looks like an error of the recogniser.",
    280,
)

GRAPH = Graph(
    Column(designed, table),
    Column((plan, count, about), bias),
    Column((), threshold),
    Column((), saved),
    Column((), figure),
    Column((), text),
    frames={
        "What faces to make": (designed, plan, count, about),
        "Pairs with scores": (table, bias, threshold),
        "The report": (saved, figure, text),
    },
    pictures=(figure,),
)
