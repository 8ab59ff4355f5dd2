"""How well does a network tell one person from two?"""

from ..graph import Column, Graph, Node, note, value

detector = Node("LikenessLoadFaceDetector")
embedder = Node("LikenessLoadFaceEmbedder")
scored = Node(
    "LikenessScorePhotoPairs",
    detector=detector["detector"],
    embedder=embedder["embedder"],
    pairs="likeness_photo_pairs.csv",
    folder="",
    format="table",
)
compared = Node(
    "LikenessSaveReport",
    "Save pairs",
    (320, 300),
    report=scored["pairs"],
    filename_prefix="reports/photo_pairs",
)
table = Node("LikenessLoadTable", file="likeness_pairs.csv")
report = Node(
    "LikenessVerificationReport",
    pairs=table["table"],
    far="1e-3, 1e-2, 1e-1",
    own_thresholds="group",
    bad=scored["bad"],
)
saved = Node("LikenessSaveReport", "Save it", (420, 560), report=report["report"], filename_prefix="reports/roc")
figure = Node("PreviewImage", "ROC", (420, 460), images=saved["figure"])
text = Node("PreviewAny", "Report", (420, 300), source=saved["markdown"])
tar = value("True accept rate", report["tar"])
groups = Node(
    "LikenessSliceReport",
    table=report["judged"],
    metric="accuracy",
    prediction="judged",
    truth="same",
    groups="group",
)
by_group = Node(
    "LikenessSaveReport", "Save groups", (420, 420), report=groups["report"], filename_prefix="reports/accuracy"
)
about = note(
    "**Two photos are no test.** Put LFW into the input folder, choose *lfw* and its pairs.txt, and connect "
    "the pairs to the report. Photos that are missing or show no face are listed; the others are judged.\n\n"
    "The report below reads made-up scores. It has the accuracy of each group by its own thresholds, as RFW's tables "
    "do; *judged* goes to the slice report, for intervals and gaps.",
    240,
)

GRAPH = Graph(
    Column((detector, embedder), table),
    Column((scored, about), report),
    Column(compared, tar, groups),
    Column((), saved, by_group),
    Column((), (figure, text), ()),
    frames={
        "Photos in pairs": (detector, embedder, scored, about, compared),
        "Scores of many pairs": (table, report, tar),
        "The report": (saved, figure, text),
        "For whom?": (groups, by_group),
    },
    pictures=(figure,),
)
