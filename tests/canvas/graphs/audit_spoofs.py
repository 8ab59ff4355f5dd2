"""How well do scores tell real faces from spoofs?"""

from ..graph import Column, Graph, Node, note, value

detector = Node("LikenessLoadFaceDetector")
analyzer = Node("LikenessLoadFaceAnalyzer", "Load Face Analyzer: FSFM", model="fsfm_detectors/mcio_msu")
listed = Node("LikenessLoadTable", "Photos of a test set", file="likeness_photos.csv")
scored = Node(
    "LikenessAnalyzePhotos",
    detector=detector["detector"],
    analyzer=analyzer["analyzer"],
    table=listed["table"],
    column="file",
    folder="",
)
kept = Node(
    "LikenessSaveReport",
    "Save scores",
    (320, 300),
    report=scored["table"],
    filename_prefix="reports/photo_scores",
)
table = Node("LikenessLoadTable", "Scores of many videos", file="likeness_spoofs.csv")
report = Node(
    "LikenessSpoofReport",
    table=table["table"],
    score="score_real",
    real="real",
    video="video",
    by="set",
    bad=scored["bad"],
)
saved = Node("LikenessSaveReport", "Save it", (420, 560), report=report["report"], filename_prefix="reports/spoofs")
figure = Node("PreviewImage", "ROC", (420, 460), images=saved["figure"])
text = Node("PreviewAny", "Report", (420, 300), source=saved["markdown"])
hter = value("HTER of the first set", report["hter"])
about = note(
    "**Two photos are no test.** Put a test set into the input folder with a table that names each photo, its video "
    "and whether it is real, and connect *Analyze Photos* to the report.\n\n"
    "The report below reads made-up scores of three data sets, two frames a video. Each set has a threshold of its "
    "own, as the MCIO protocol does it; connect *development* for an honest one.",
    280,
)

GRAPH = Graph(
    Column((detector, analyzer, listed), table),
    Column((scored, about), report),
    Column((kept,), hter),
    Column((), saved),
    Column((), (figure, text)),
    frames={
        "Photos of a table": (detector, analyzer, listed, scored, about, kept),
        "Scores of many videos": (table, report, hter),
        "The report": (saved, figure, text),
    },
    pictures=(figure,),
)
