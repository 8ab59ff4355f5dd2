"""PVA's training on one person: each reference in turn is inpainted with the help of the others.

Numbers are those of the authors' 40-step configuration: AdamW with a decay of 0.01, 1e-5 times the two parts of a step
for the attention copies, 1e-3 for the word <new1>; what is masked is a box around the whole face; the loss counts the
whole picture. Each step looks at two noise levels, one of each half of the schedule. The TransformNetwork is left
as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..audit.chart import Curve, Curves
from ..audit.report import Report, Section
from ..audit.table import Table
from ..geometry import align, move
from ..types import Faces
from .person import Person
from .pva import PVA, TITLE

WORD = "<new1>"
PROMPT = f"photo of a {WORD} person"
RATE, WORD_RATE, DECAY = 2e-5, 1e-3, 0.01
PARTS = 2  # noise levels of a step, each from its own stretch of the schedule
TEMPLATE = "ffhq"  # as the pictures of CelebA-HQ are framed
MARGIN, LEAST = 1.2, 0.2  # the masked box: of the face's, and at least of the picture's side
MIRRORED = [1, 0, 2, 4, 3]  # the point that takes each of the five points' place in a mirrored picture
Loss = Callable[["Lesson", Tensor, float, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Which picture is inpainted, and whom the model is shown meanwhile."""

    target: int
    mirrored: bool
    references: Tensor  # (R, D) identity vectors of the other pictures


def frame(person: Person, size: int) -> tuple[Tensor, Tensor]:
    """(N, S, S, 3) pictures framed as PVA was trained on, and (N, S, S) masks of the face in each, 1 where it is.

    Args:
        person: Pictures, with one face in each.
        size: S, pixels.
    """
    image, faces = person.pictures(TITLE)
    crops, alignment = align(image, faces, TEMPLATE, size, padding="mirror")
    x1, y1, x2, y2 = faces.bbox.unbind(-1)
    corners = torch.stack([x1, y1, x2, y1, x1, y2, x2, y2], -1).reshape(-1, 4, 2) - 0.5
    points = move(alignment.matrix, corners) + 0.5
    low, high = points.amin(1), points.amax(1)
    half = ((high - low) * MARGIN).clamp(min=LEAST * size) / 2
    middle, centres = (low + high) / 2, torch.arange(size) + 0.5
    inside = (centres - middle[..., None]).abs() < half[..., None]  # (N, 2, S)
    return crops, (inside[:, 0, None, :] & inside[:, 1, :, None]).float()


def mirror(faces: Faces) -> Faces:
    """The faces as they lie in the mirrored pictures."""
    width = faces.image_size[1]
    x1, y1, x2, y2 = faces.bbox.unbind(-1)
    kps = faces.kps
    if kps is not None:
        kps = torch.stack([width - 1 - kps[..., 0], kps[..., 1]], -1)[:, MIRRORED]
    return replace(faces, bbox=torch.stack([width - x2, y1, width - x1, y2], -1), kps=kps)


def lessons(vectors: Tensor, random: torch.Generator) -> Iterator[Lesson]:
    """Endless: all pictures in a new order each round, each as it is or mirrored, and so the others as its references.

    The last reference comes twice, as it is and mirrored; a lone picture has itself for one, the other way round.

    Args:
        vectors: (N, 2, D) the identity in each picture, and in its mirror image.
        random: What decides.
    """
    count = len(vectors)
    while True:
        for target in torch.randperm(count, generator=random).tolist():
            ways = torch.randint(2, (count,), generator=random).tolist()
            others = [other for other in torch.randperm(count, generator=random).tolist() if other != target]
            shown = [vectors[other, ways[other]] for other in others]
            last = others[-1] if others else target
            yield Lesson(target, bool(ways[target]), torch.stack([*shown, vectors[last, 1 - ways[last]]]))


def fine_tune(network: PVA, vectors: Tensor, loss: Loss, steps: int, rate: float, seed: int) -> Iterator[float]:
    """Train the attention copies and the word, in place; the loss of each step comes as it is made.

    Args:
        network: Where it is to run, in float32.
        vectors: (N, 2, D) the identity in each picture, and in its mirror image.
        loss: What the denoiser makes of a lesson, of (1, T, D) tokens, at a share of the schedule from 0, little noise,
            to 1; what else is random comes from the generator. It gives (2,) the whole picture's, which is learned
            from, and the masked part's.
        steps: How many.
        rate: AdamW's, of the attention copies.
        seed: Of all that is random.

    Raises:
        ValueError: The loss is no number any more.
    """
    random = torch.Generator().manual_seed(seed)
    blocks = torch.nn.ModuleList(network.split()[1].values())
    trained = [*blocks.parameters(), network.modifier_vec]
    groups: list[dict[str, Any]] = [{"params": trained[:-1]}, {"params": trained[-1:], "lr": WORD_RATE}]
    optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=DECAY)
    lesson = lessons(vectors, random)
    try:
        for held in trained:
            held.requires_grad_(True)
        for step in range(steps):
            optimizer.zero_grad()
            total, now = 0.0, next(lesson)
            for part in range(PARTS):
                share = (part + float(torch.rand((), generator=random))) / PARTS
                made = loss(now, tokens(network, now), share, random)[0] / PARTS
                total += float(made.detach())
                torch.autograd.backward(made)
            if not math.isfinite(total):
                raise ValueError(f"Expected a loss, got none at step {step + 1}: lower the learning rate.")
            optimizer.step()
            yield total
    finally:
        for held in trained:
            held.requires_grad_(False)
            held.grad = None


def tokens(network: PVA, lesson: Lesson) -> Tensor:
    """(1, T, D) what the blocks are told in a lesson."""
    return network.transform_network(lesson.references.to(network.modifier_vec)[None])


def judge(network: PVA, vectors: Tensor, loss: Loss, seed: int) -> tuple[float, float]:
    """The mean losses over all pictures, each at four fixed noise levels, the same for every network.

    The first is of the whole picture, the second of the masked part.
    """
    random = torch.Generator().manual_seed(seed)
    found = []
    with torch.no_grad():
        for target in range(len(vectors)):
            others = [vectors[other, 0] for other in range(len(vectors)) if other != target]
            shown = Lesson(target, False, torch.stack(others or [vectors[target, 1]]))
            for part in range(2 * PARTS):
                share = (part + 0.5) / (2 * PARTS)
                found.append(loss(shown, tokens(network, shown), share, random))
        whole, masked = torch.stack(found).mean(0).tolist()
    return whole, masked


def report(losses: list[float], before: tuple[float, float], after: tuple[float, float]) -> Report:
    """How the training went.

    Args:
        losses: Of each step.
        before: What ``judge`` said.
        after: The same of the trained network.
    """
    steps = tuple(range(1, len(losses) + 1))
    curve = Curves("Loss of each step", (Curve("loss", steps, tuple(losses)),), "step", "loss")
    rows = [("whole picture", before[0], after[0]), ("masked part", before[1], after[1])]
    judged = Table.of(("part", "before", "after"), rows)
    return Report(
        "PVA, trained on one person",
        (
            Section("The same noise before and after", judged),
            Section("Steps", Table.of(("step", "loss"), zip(steps, losses, strict=True)), curve),
        ),
        (
            "The loss is the mean square of what is wrong in the denoiser's output, by its own measure.",
            "A single step's loss depends on its noise more than on what was learned: compare before and after.",
            "These are the pictures it was trained on. Nothing here says that the person is recognised.",
        ),
    )


def summary(report: Report) -> str:
    """A training in one line."""
    return "; ".join(
        f"{part}: loss {before:.4g} before, {after:.4g} after" for part, before, after in report.table.rows()
    )
