#!/usr/bin/env bash
# The tests that need a ComfyUI, where there is one: `tests/on_comfyui.sh .venv`, with COMFYUI_PATH and COMFYUI_PYTHON.
# Without a ComfyUI it says what was not run. With one, a test that skips fails; so does, where CI=true, one that is broken.
set -euo pipefail
venv=$1

not_run() {
    echo "NOT RUN: tests/host and tests/canvas, which need a ComfyUI: $1"
    exit "$2"
}

[ -f "$COMFYUI_PATH/main.py" ] || not_run "none is at COMFYUI_PATH, '$COMFYUI_PATH'." 0
broken=$([ "${CI:-}" = true ] && echo 1 || echo 0)
[ -x "$COMFYUI_PYTHON" ] || not_run "COMFYUI_PYTHON, '$COMFYUI_PYTHON', is not there." "$broken"
(cd "$COMFYUI_PATH" && "$COMFYUI_PYTHON" -c "import folder_paths, comfy.utils") ||
    not_run "the one at $COMFYUI_PATH does not run with $COMFYUI_PYTHON." "$broken"

# pytest and its workers come beside ComfyUI's environment, never into it.
[ -d "$venv/pytest" ] || "$venv/bin/pip" install -q --target "$venv/pytest" pytest pytest-xdist
PYTHONPATH="$PWD/$venv/pytest" LIKENESS_NO_SKIPS=1 "$COMFYUI_PYTHON" -m pytest -q -n auto --dist loadfile tests/host
"$venv/bin/python" -m pytest -q -rs -n auto tests/canvas
