"""Audit nodes: how well a system does, for whom, and how fast."""

import comfy.utils
from comfy_api.latest import io

from ..likeness import onnx
from ..likeness.audit import casual_conversations, photo_pairs, skin_tone, spoofing, verification, webface260m
from ..likeness.audit.report import Report
from . import convert, host
from .reports import check_input, input_path, state_of


def words(text: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def bootstrap_inputs() -> list[io.Input]:
    """How intervals are made."""
    return [
        io.Int.Input(
            "bootstrap",
            default=1000,
            min=0,
            max=100000,
            optional=True,
            advanced=True,
            tooltip="Samples that an interval is made of; 0 makes Wilson's for shares, else none.",
        ),
        io.Int.Input(
            "bootstrap_seed", default=0, min=0, max=2**32 - 1, optional=True, advanced=True, tooltip="Of the samples."
        ),
    ]


class SliceReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSliceReport",
            display_name="Slice Report",
            category="likeness/audit",
            description="How well a system does in each group, with intervals; small groups are flagged and stay.",
            search_aliases=["fairness", "bias", "slices", "subgroups", "casual conversations", "accuracy per group"],
            inputs=[
                host.Table.Input("table", tooltip="A row per photo, video or pair: what is so and what a system said."),
                io.Combo.Input("metric", options=list(casual_conversations.METRICS), tooltip="What is measured."),
                io.String.Input("prediction", default="prediction", tooltip="The column that the system wrote."),
                io.String.Input("truth", default="truth", tooltip="The column of what is so; detection has none."),
                io.String.Input("groups", default="group", tooltip="Columns to slice by, commas between."),
                io.Int.Input(
                    "small",
                    default=30,
                    min=0,
                    max=1000000,
                    optional=True,
                    advanced=True,
                    tooltip="Slices of fewer rows are flagged, and left out of gap and ratio.",
                ),
                *bootstrap_inputs(),
                io.String.Input(
                    "sample_by",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Rows with one value of this column are drawn together, such as a person's videos. Empty: "
                    "row by row, which makes intervals too narrow where a person has several.",
                ),
                io.Float.Input(
                    "fpr",
                    default=0.01,
                    min=0.0,
                    max=1.0,
                    step=0.0001,
                    optional=True,
                    advanced=True,
                    tooltip="Of TPR at FPR: the rate over all false rows that the one threshold is set at.",
                ),
                io.Boolean.Input(
                    "apparent",
                    default=False,
                    optional=True,
                    tooltip="Switch on when the groups are a model's output: the report then says apparent.",
                ),
                host.Table.Input(
                    "more", optional=True, tooltip="A second table, such as annotations, to be joined by the key."
                ),
                io.String.Input(
                    "key", default="file", optional=True, advanced=True, tooltip="The column that both tables know."
                ),
            ],
            outputs=[
                host.Report.Output("report", tooltip="Slices and gaps, for Save Report."),
                host.Table.Output("table", tooltip="The slices as rows."),
            ],
        )

    @classmethod
    def execute(
        cls,
        table,
        metric,
        prediction,
        truth,
        groups,
        small=30,
        bootstrap=1000,
        bootstrap_seed=0,
        sample_by="",
        fpr=0.01,
        apparent=False,
        more=None,
        key="file",
    ) -> io.NodeOutput:
        lost: list[str] = []
        if more is not None:
            table, lost = table.join(more, key)
        measure = casual_conversations.Measure(metric, prediction, truth, fpr)
        sampling = casual_conversations.Sampling(bootstrap, bootstrap_seed, sample_by.strip(), small)
        report = casual_conversations.slice_report(table, measure, words(groups), sampling, apparent)
        if lost:
            report = report.with_notes(f"{len(lost)} {key} are in one table only: {', '.join(lost[:8])}.")
        return io.NodeOutput(report, report.table)


class MeasureSkinTone(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMeasureSkinTone",
            display_name="Measure Skin Tone",
            category="likeness/audit",
            description="How light the skin of each photo looks: the individual typology angle. The light moves it "
            "as much as skin does.",
            search_aliases=["ITA", "skin tone", "typology angle", "fitzpatrick", "monk scale", "skin colour"],
            inputs=[
                io.Image.Input("image", tooltip="Photos under one light."),
                io.Mask.Input("mask", tooltip="Their skin, from Parse Faces with the region skin."),
            ],
            outputs=[
                host.Table.Output("table", tooltip="A row per photo: angle, quartiles, bucket, cautions."),
                io.Float.Output("ita", tooltip="The first photo's angle, degrees; not a number where it has none."),
                io.String.Output("bucket", tooltip="Its name: very light, light, intermediate, tan, brown or dark."),
                host.Report.Output("report", tooltip="The table with what must be said about it."),
            ],
        )

    @classmethod
    def execute(cls, image, mask) -> io.NodeOutput:
        table = skin_tone.measure(convert.rgb(image), mask.float().cpu())
        first = table.numbers("ita")[0] if len(table) else float("nan")
        named = table.texts("bucket")[0] if len(table) else None
        report = Report.of_table(table, "Individual typology angle").with_notes(*skin_tone.LIMITS)
        return io.NodeOutput(table, float(first), named or "", report)


class ScorePhotoPairs(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessScorePhotoPairs",
            display_name="Score Photo Pairs",
            category="likeness/audit",
            description="Compares the pairs of photos that a file lists, as LFW and IJB do. A bad photo is listed, and "
            "nothing else is lost.",
            search_aliases=["LFW", "IJB-C", "IJB-B", "face verification", "pairs.txt", "template"],
            inputs=[
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector; it must give five points."),
                host.FaceEmbedder.Input("embedder", tooltip="From Load Face Embedder: who is judged."),
                io.String.Input(
                    "pairs", default="likeness_photo_pairs.csv", tooltip="The pair file, in ComfyUI's input folder."
                ),
                io.String.Input(
                    "folder", default="", tooltip="The photos' folder in the input folder; empty: the input folder."
                ),
                io.Combo.Input(
                    "format",
                    options=list(photo_pairs.FORMATS),
                    default="table",
                    tooltip="lfw: pairs.txt. ijb: the *_template_pair_label.txt, its other files beside it. table: "
                    "columns a, b and same.",
                ),
                io.Boolean.Input(
                    "flip",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Add the mirrored face to each, as most published numbers do; takes twice as long.",
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
                host.Table.Output("pairs", tooltip="The pairs with their score: cosine similarity."),
                host.Table.Output("bad", tooltip="Photos without a vector, and why."),
            ],
        )

    @classmethod
    def validate_inputs(cls, pairs, folder) -> bool | str:
        checked = check_input(pairs)
        return check_input(folder) if checked is True else checked

    @classmethod
    def fingerprint_inputs(cls, pairs, folder, **_) -> tuple[float, float]:
        return state_of(pairs), state_of(folder)

    @classmethod
    def execute(cls, detector, embedder, pairs, folder, format, flip=True, threshold=0.5) -> io.NodeOutput:
        photos = photo_pairs.read_photos(input_path(pairs), format)
        looking = photo_pairs.Looking(detector.ready(), embedder.ready(), flip, threshold)
        progress, seen = comfy.utils.ProgressBar(len(photos.names)), []
        for one in photo_pairs.look(photos, input_path(folder), looking):
            seen.append(one)
            progress.update(1)
        return io.NodeOutput(*photo_pairs.score_pairs(photos, seen))


class VerificationReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessVerificationReport",
            display_name="Verification Report",
            category="likeness/audit",
            description="ROC, true accept rates at false accept rates with their thresholds, and accuracy over folds.",
            search_aliases=["ROC", "TAR at FAR", "LFW accuracy", "face verification", "threshold"],
            inputs=[
                host.Table.Input("pairs", tooltip="Columns score and same, from Score Photo Pairs or a file."),
                io.String.Input(
                    "far",
                    default="1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1",
                    optional=True,
                    advanced=True,
                    tooltip="False accept rates to report, commas between.",
                ),
                io.Boolean.Input(
                    "distances",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Switch on when the scores are distances: low is close.",
                ),
                io.String.Input(
                    "own_thresholds",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="A column whose values are judged by thresholds of their own, as tables of accuracy per "
                    "ethnicity do; empty: one threshold for all.",
                ),
                host.Table.Input("bad", optional=True, tooltip="Photos that failed, to be listed in the report."),
            ],
            outputs=[
                host.Report.Output("report", tooltip="For Save Report."),
                host.Table.Output(
                    "judged",
                    tooltip="The pairs with judged: do they match? Slice Report gives accuracy per group.",
                ),
                io.Float.Output("tar", tooltip="True accept rate at the last of the false accept rates."),
                io.Float.Output("threshold", tooltip="The threshold of that rate."),
            ],
        )

    @classmethod
    def execute(cls, pairs, far="", distances=False, own_thresholds="", bad=None) -> io.NodeOutput:
        fars = verification.parse_fars(far)
        report = verification.report(pairs, fars, distances, own_thresholds.strip())
        if bad is not None and len(bad):
            report = report.with_table("Photos without a vector", bad)
        judged = verification.judge(pairs, own_thresholds.strip(), distances)
        points = report.table
        return io.NodeOutput(report, judged, float(points["TAR"][-1]), float(points["threshold"][-1]))


class SpoofReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSpoofReport",
            display_name="Spoof Report",
            category="likeness/audit",
            description="How well scores tell real faces from spoofs or forgeries: HTER, EER, ACER, AUC and the ROC, "
            "by the anti-spoofing protocol.",
            search_aliases=["anti-spoofing", "HTER", "ACER", "EER", "AUC", "liveness", "MCIO", "deepfake detection"],
            inputs=[
                host.Table.Input("table", tooltip="A row per frame or photo, from Analyze Photos or a file."),
                io.String.Input("score", default="score_real", tooltip="The column of how real it looks, 0 to 1."),
                io.String.Input("real", default="real", tooltip="The column of what is so: true where it is real."),
                io.String.Input(
                    "video",
                    default="",
                    optional=True,
                    tooltip="The column that names each row's video: its frames are averaged. Empty: row by row.",
                ),
                io.String.Input(
                    "by",
                    default="",
                    optional=True,
                    tooltip="A column whose values are judged one by one, such as the data set. Empty: all together.",
                ),
                host.Table.Input(
                    "development",
                    optional=True,
                    tooltip="Other rows with the same columns, to set the threshold on; else the judged rows set it, "
                    "as the protocol does, which flatters.",
                ),
                host.Table.Input("bad", optional=True, tooltip="Photos that failed, to be listed in the report."),
            ],
            outputs=[
                host.Report.Output("report", tooltip="For Save Report."),
                host.Table.Output("rates", tooltip="A row per data set."),
                io.Float.Output("hter", tooltip="Half total error rate of the first row, 0 to 1."),
                io.Float.Output("threshold", tooltip="Where that is taken."),
            ],
        )

    @classmethod
    def execute(cls, table, score, real, video="", by="", development=None, bad=None) -> io.NodeOutput:
        columns = [name.strip() for name in (score, real, video, by)]
        report = spoofing.report(table, *columns, development)
        if bad is not None and len(bad):
            report = report.with_table("Photos without a score", bad)
        rates = report.table
        return io.NodeOutput(report, rates, float(rates["HTER"][0]), float(rates["threshold"][0]))


class TimeRecognition(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessTimeRecognition",
            display_name="Time Recognition",
            category="likeness/audit",
            description="How long one photo takes to an identity on one core, and which FRUITS track that is fast "
            "enough for: 100, 500 or 1000 ms.",
            search_aliases=["FRUITS", "WebFace260M", "benchmark", "inference time", "speed of face recognition"],
            inputs=[
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector; it must give five points."),
                host.FaceEmbedder.Input("embedder", tooltip="From Load Face Embedder."),
                io.Image.Input("image", tooltip="Photos, taken in turn; the protocol has six."),
                io.Int.Input(
                    "runs",
                    default=webface260m.RUNS,
                    min=1,
                    max=10000,
                    optional=True,
                    advanced=True,
                    tooltip="The protocol has 50; the sixth fastest counts.",
                ),
            ],
            outputs=[
                io.Int.Output("milliseconds", tooltip="The time that counts, whole."),
                io.String.Output("track", tooltip="FRUITS-100, FRUITS-500, FRUITS-1000, or over."),
                host.Report.Output("report", tooltip="Time and every run, for Save Report."),
            ],
        )

    @classmethod
    def execute(cls, detector, embedder, image, runs=webface260m.RUNS) -> io.NodeOutput:
        photos = [convert.rgb(image[n : n + 1]) for n in range(len(image))]
        with onnx.threads(1):
            networks = [model.again() for model in (detector, embedder)]
        progress, done = comfy.utils.ProgressBar(runs), []
        for run in webface260m.time_recognition(*networks, photos, runs):
            done.append(run)
            progress.update(1)
        report = webface260m.report(done, f"{detector.engine}; {embedder.engine}.")
        return io.NodeOutput(int(report.table["total ms"][0]), str(report.table["track"][0]), report)


NODES = (SliceReport, MeasureSkinTone, ScorePhotoPairs, VerificationReport, SpoofReport, TimeRecognition)
