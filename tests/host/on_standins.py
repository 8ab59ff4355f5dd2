"""All workflows on the stand-ins, as JSON: ``python tests/host/on_standins.py BASE OUTPUT``.

A script, for a process has one host; and one for all of them, for starting it takes longer than most of them.
"""

import contextlib
import json
import sys
from pathlib import Path

PACK = Path(__file__).parents[2]
sys.path[:0] = [str(PACK), str(PACK / "tests")]

import editors  # noqa: E402
import seeded  # noqa: E402
from headless import outputs, settings, standalone, workflow  # noqa: E402


def main(base: Path, output: Path) -> dict:
    session = standalone.start(base)
    found = {"nodes": {name: session.info(name) for name in session.names()}, "workflows": {}}
    session = editors.fill_in(session)
    for file in seeded.ON_STANDINS:
        prompt = workflow.to_api(seeded.read(file), session.info)
        prompt = settings.assign(prompt, session.info, [], bring=str)
        runs = {
            half: run(editors.fill_in(standalone.start(base, half == "fp16")), prompt, output)
            for half in ("fp32", "fp16")
        }
        found["workflows"][file.stem] = {"api": prompt, **runs}
    return found


def run(session: standalone.Session, prompt: workflow.Prompt, output: Path) -> list[dict]:
    with outputs.stage(output) as stage:
        with stage:
            shown = session.run(prompt)
        return stage.deliver(prompt, shown, session.info)


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answer = json.dumps(main(*map(Path, sys.argv[1:])))
    sys.stdout.write(answer)
