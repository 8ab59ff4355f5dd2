"""Gradients on ComfyUI, which loads networks and runs nodes in inference mode."""

import pytest

import small_classifier


def test_grad_cam_runs_on_comfyui(session, base):
    small_classifier.write(base / "models/face_classifier/small.onnx")

    def node(kind, **inputs):
        return {"class_type": kind, "inputs": inputs}

    prompt = {
        "1": node("LoadImage", image="likeness_astronaut.png"),
        "2": node("LikenessFacesFromBoxes", image=["1", 0], boxes="179, 63, 91, 111"),
        "3": node(
            "LikenessLoadFaceClassifier",
            model="small.onnx",
            labels=small_classifier.LABELS,
            pixels="0 to 1",
            engine="torch",
        ),
        "4": node(
            "LikenessExplainFace", model=["3", 0], image=["1", 0], faces=["2", 0], method="grad_cam", sign="both"
        ),
        "5": node("LikenessSaveReport", report=["4", 2], filename_prefix="reports/explain", format="none"),
        "6": node("MaskToImage", mask=["4", 0]),
        "7": node("PreviewImage", images=["6", 0]),
    }
    shown = session.run(prompt)
    assert "looked_at" in str(shown)
    with pytest.raises(Exception, match="such as features, rectified, looked_at, got conv9"):
        session.run({**prompt, "4": node("LikenessExplainFace", **{**prompt["4"]["inputs"], "layer": "conv9"})})
