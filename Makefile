# `make demo` runs the main job on real photos; `make test` proves the pack. Both set up what they need.
PYTHON ?= python3
VENV := .venv
DEMO := quickstart embed_compare parse_regions paste_faces swap_mesh head3d_canonical track_faces face_video \
	reenact_meshwarp
COMFYUI_PATH ?= $(HOME)/comfy/ComfyUI
COMFYUI_PYTHON ?= $(COMFYUI_PATH)/.venv/bin/python
export COMFYUI_PATH COMFYUI_PYTHON
# Tests run side by side, a core each.
test: export OMP_NUM_THREADS = 1

.PHONY: demo test setup

demo: setup
	@mkdir -p demo
	@for name in $(DEMO); do \
		echo "workflows/$$name.json"; \
		COMFYUI_PATH= $(VENV)/bin/python -m headless run workflows/$$name.json --output demo/$$name \
			> demo/$$name.txt 2> demo/$$name.log || { cat demo/$$name.log; exit 1; }; \
	done
	@echo "Look at:" && for name in $(DEMO); do sed "s/^/  $$name: /" demo/$$name.txt; done

test: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	COMFYUI_PATH= $(VENV)/bin/python -m pytest -q -n auto --dist loadfile --ignore tests/host --ignore tests/canvas
	tests/on_comfyui.sh $(VENV)

setup: $(VENV)/done

$(VENV)/done: pyproject.toml requirements.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -c constraints.txt -r requirements.txt onnxruntime onnx jsonschema pytest pytest-xdist ruff mypy scikit-image matplotlib pyarrow setuptools playwright
	touch $@
