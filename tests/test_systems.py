"""What every system must satisfy, whatever its task."""

from pathlib import Path

import pytest
import torch

from likeness import adapt, analyze, detect, embed, head3d, landmark, match, parse, reenact, swap
from likeness.manifest import read_models
from likeness.weights import System, UnsupportedCheckpointError, build, join
from seeding import read_layout

TASKS = (detect, embed, landmark, parse, analyze, head3d, reenact, swap, adapt, match)
SYSTEMS = list(dict.fromkeys(system for task in TASKS for system in task.SYSTEMS))  # one may serve several tasks
LAYOUTS = sorted(Path(__file__).with_name("checkpoints").glob("*/*.tsv"))


def checkpoints() -> dict[str, dict[str, Path]]:
    """The recorded layouts of each checkpoint by part; those of one id with several files are one checkpoint."""
    joined: dict[str, dict[str, Path]] = {}
    for folder in {path.parent for path in LAYOUTS}:
        for model in read_models(folder.name):
            for kind in ("", ".small"):
                files = {file.part: folder / f"{Path(file.name).stem}{kind}.tsv" for file in model.files}
                if len(files) > 1 and all(path in LAYOUTS for path in files.values()):
                    joined[model.id + kind] = files
    used = {path for files in joined.values() for path in files.values()}
    return joined | {f"{path.parent.name}/{path.stem}": {"": path} for path in LAYOUTS if path not in used}


CHECKPOINTS = sorted(checkpoints().items())


def test_an_unknown_checkpoint_says_what_it_holds():
    with pytest.raises(UnsupportedCheckpointError, match=r"it holds 1 tensors, the first are foo\.weight"):
        build({"foo.weight": torch.zeros(1)}, SYSTEMS)


def test_files_of_one_system_are_joined_under_their_parts():
    joined = join({"": {"conv.weight": torch.zeros(1)}, "depth": {"conv.weight": torch.ones(1)}})
    assert joined == {"conv.weight": torch.zeros(1), "depth.conv.weight": torch.ones(1)}
    with pytest.raises(UnsupportedCheckpointError, match=r"share no tensor, got conv\.weight twice"):
        join({"a": {"b": torch.zeros(1)}, "": {"conv.weight": torch.zeros(1)}, "conv": {"weight": torch.zeros(1)}})


@pytest.mark.parametrize(("name", "files"), CHECKPOINTS, ids=lambda value: value if isinstance(value, str) else "")
def test_official_checkpoint_loads_unchanged_and_no_other_system_recognises_it(name, files):
    layout = join({part: read_layout(path)[0] for part, path in files.items()})
    build(layout, SYSTEMS)
    systems = [system for system in SYSTEMS if isinstance(system, System)]
    assert [s.name for s in systems if all(key in layout for key in s.keys)] == [name.split("/")[0]]
