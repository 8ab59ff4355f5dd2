"""What every system must satisfy, whatever its task."""

from pathlib import Path

import pytest
import torch

from likeness import detect, embed, head3d, landmark, parse, reenact, swap
from likeness.weights import UnsupportedCheckpointError, build, join
from seeding import read_layout

TASKS = (detect, embed, landmark, parse, head3d, reenact, swap)
SYSTEMS = [system for task in TASKS for system in task.SYSTEMS]
CHECKPOINTS = sorted(Path(__file__).with_name("checkpoints").glob("*/*.tsv"))


def test_an_unknown_checkpoint_says_what_it_holds():
    with pytest.raises(UnsupportedCheckpointError, match=r"it holds 1 tensors, the first are foo\.weight"):
        build({"foo.weight": torch.zeros(1)}, SYSTEMS)


def test_files_of_one_system_are_joined_under_their_parts():
    joined = join({"": {"conv.weight": torch.zeros(1)}, "depth": {"conv.weight": torch.ones(1)}})
    assert joined == {"conv.weight": torch.zeros(1), "depth.conv.weight": torch.ones(1)}
    with pytest.raises(UnsupportedCheckpointError, match=r"share no tensor, got conv\.weight twice"):
        join({"a": {"b": torch.zeros(1)}, "": {"conv.weight": torch.zeros(1)}, "conv": {"weight": torch.zeros(1)}})


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_official_checkpoint_loads_unchanged(path):
    build(read_layout(path)[0], SYSTEMS)


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_exactly_one_system_recognises_it(path):
    layout, _ = read_layout(path)
    assert [s.name for s in SYSTEMS if all(key in layout for key in s.keys)] == [path.parent.name]
