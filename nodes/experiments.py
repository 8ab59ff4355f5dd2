"""Bias experiments: what faces to make, and who of them is confused more often."""

from comfy_api.latest import io

from ..likeness.audit import bias_experiments, design
from ..likeness.audit.pairs import annotate, make_pairs, match_faces
from . import host
from .audit import bootstrap_inputs


class DesignExperiment(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDesignExperiment",
            display_name="Design Experiment",
            category="likeness/experiments",
            description="Prompts and seeds for faces that differ in one thing at a time, and a table of what does.",
            search_aliases=["bias experiment", "causal", "one factor at a time", "synthetic faces", "prompt grid"],
            inputs=[
                io.String.Input(
                    "prompt",
                    default="photo of the face of a {age} {ethnicity} {gender}, {light}",
                    multiline=True,
                    tooltip="With {name} where a group or factor goes.",
                ),
                io.String.Input(
                    "groups",
                    default="ethnicity: Asian, Black, White\ngender: woman, man",
                    multiline=True,
                    tooltip="A line each: a name, a colon, its values. All combinations are made, and are compared.",
                ),
                io.String.Input(
                    "factors",
                    default="age: 30 year old, 50 year old, 70 year old\nlight: soft light, hard light, dim light",
                    multiline=True,
                    tooltip="A line each: a name, a colon, its levels, the base first. One is changed at a time.",
                ),
                io.Int.Input("seeds", default=10, min=1, max=10000, tooltip="Identities in each group."),
                io.Int.Input(
                    "first_seed",
                    default=0,
                    min=0,
                    max=2**32,
                    optional=True,
                    advanced=True,
                    tooltip="The seed of the first; all groups and levels share the seeds.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "prompts", is_output_list=True, tooltip="A prompt per face: CLIP Text Encode runs once for each."
                ),
                io.Int.Output("seeds", is_output_list=True, tooltip="A seed per face, for KSampler."),
                host.Table.Output("design", tooltip="A row per face; Table Column gives any column as a list."),
                io.Int.Output("count", tooltip="How many faces are made."),
            ],
        )

    @classmethod
    def execute(cls, prompt, groups, factors, seeds, first_seed=0) -> io.NodeOutput:
        parts = (design.parse_factors(groups), design.parse_factors(factors))
        table = design.design(prompt, *parts, range(first_seed, first_seed + seeds))
        return io.NodeOutput(table["prompt"].tolist(), table["seed"].tolist(), table, len(table))


class PairFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPairFaces",
            display_name="Pair Faces",
            category="likeness/experiments",
            description="All pairs of an experiment's faces within each group, with their similarity.",
            search_aliases=["face pairs", "verification pairs", "bias experiment", "similarity table"],
            inputs=[
                host.FaceEmbeddings.Input("embeddings", tooltip="Of one batch with an image per row of the design."),
                host.Table.Input("design", tooltip="From Design Experiment; or columns identity, group, factor, step."),
            ],
            outputs=[
                host.Table.Output("pairs", tooltip="For Bias Report and Verification Report."),
                io.String.Output("lost", tooltip="What was left out: images without a face; empty when all is there."),
            ],
        )

    @classmethod
    def execute(cls, embeddings, design) -> io.NodeOutput:
        vectors, row, lost = match_faces(embeddings, design)
        return io.NodeOutput(make_pairs(vectors, row, design), "\n".join(lost))


class BiasReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessBiasReport",
            display_name="Bias Report",
            category="likeness/experiments",
            description="Who is confused and who is missed more often, at one threshold for all groups.",
            search_aliases=["FMR", "FNMR", "DET", "d-prime", "demographic bias", "face recognition bias", "fairness"],
            inputs=[
                host.Table.Input(
                    "pairs", tooltip="Columns identity_a, identity_b, group, same, score; from Pair Faces or a file."
                ),
                io.Float.Input(
                    "fmr",
                    default=0.001,
                    min=0.0,
                    max=1.0,
                    step=0.0001,
                    tooltip="The false match rate over all pairs of two people that sets the threshold.",
                ),
                host.Table.Input(
                    "judged",
                    optional=True,
                    tooltip="What people judged: columns a, b (rows of the design) and same. Without it the report "
                    "says that nobody did.",
                ),
                *bootstrap_inputs(),
                io.Boolean.Input(
                    "by_pair",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Draw pairs, not identities: intervals are then too narrow. For comparison only.",
                ),
                io.Int.Input(
                    "small",
                    default=10,
                    min=0,
                    max=1000000,
                    optional=True,
                    advanced=True,
                    tooltip="Groups of fewer identities are flagged, and left out of the gaps.",
                ),
            ],
            outputs=[
                host.Report.Output("report", tooltip="Groups, gaps, trade-off and slopes, for Save Report."),
                host.Table.Output("table", tooltip="The groups as rows."),
                io.Float.Output("threshold", tooltip="The similarity that matches, for all groups."),
            ],
        )

    @classmethod
    def execute(
        cls, pairs, fmr, judged=None, bootstrap=1000, bootstrap_seed=0, by_pair=False, small=10
    ) -> io.NodeOutput:
        unjudged = 0
        if judged is not None:
            pairs, unjudged = annotate(pairs, judged)
        sampling = bias_experiments.Sampling(bootstrap, bootstrap_seed, by_pair, small)
        report = bias_experiments.report(pairs, fmr, sampling, annotated=judged is not None)
        if unjudged:
            report = report.with_notes(f"{unjudged} pairs were not judged by people: not counted.")
        return io.NodeOutput(report, report.table, bias_experiments.threshold(pairs, fmr))


NODES = (DesignExperiment, PairFaces, BiasReport)
