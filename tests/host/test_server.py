"""Workflows over /prompt of a ComfyUI that serves."""

import asyncio
import json
import re
import time

import pytest

import factories
from canvas.server import comfyui, fetch
from headless import workflow

MINUTES = 60
PATIENCE = 5 * MINUTES
OURS = "ikeness"  # in our node ids, our folder and our messages


@pytest.fixture(scope="session")
def served(base, tmp_path_factory):
    """The folder that a server works in."""
    return factories.write_base(tmp_path_factory.mktemp("served"), clip_frames=8)


@pytest.fixture(scope="session")
def server(served):
    """Its address."""
    with comfyui(served) as address:
        yield address


def queue(address: str, prompt: dict, **more: object) -> str:
    """The job's id; ``node_errors`` in an answer is failure, for the rest of the prompt is run."""
    answer = fetch(address, "/prompt", {"prompt": prompt, **more})
    assert answer["node_errors"] == {}
    return answer["prompt_id"]


def wait(address: str, job: str) -> dict:
    """The job's history entry, when it has ended."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = fetch(address, f"/history/{job}")
        if job in found:
            return found[job]
        time.sleep(0.1)
    raise TimeoutError(f"Expected {job} to end within {PATIENCE} s.")


def to_api(address: str, path) -> dict:
    infos = fetch(address, "/object_info")
    return workflow.to_api(workflow.read(path), infos.__getitem__)


def messages(entry: dict, event: str) -> list[dict]:
    return [about for name, about in entry["status"]["messages"] if name == event]


def test_a_workflow_runs_and_a_second_time_nothing_is_computed(server, workflow_file):
    prompt = to_api(server, workflow_file)
    first = wait(server, queue(server, prompt))
    assert first["status"]["status_str"] == "success", json.dumps(first["status"], indent=1)
    shown = {key for key, node in prompt.items() if node["class_type"].startswith(("Preview", "Save"))}
    assert first["outputs"].keys() >= shown
    second = wait(server, queue(server, prompt))
    (cached,) = messages(second, "execution_cached")
    assert set(cached["nodes"]) == set(prompt)
    assert second["outputs"] == first["outputs"]


def long_prompt(frames: int) -> dict:
    """A video that takes a while: every frame's face is embedded."""
    short = factories.compare_prompt()
    small = {"upscale_method": "area", "width": 96, "height": 96, "crop": "disabled"}
    boxes = {"image": ["21", 0], "boxes": "0 0 96 96"}
    return {
        **short,
        "20": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], **small}},
        "21": {"class_type": "RepeatImageBatch", "inputs": {"image": ["20", 0], "amount": frames}},
        "5": {"class_type": "LikenessFacesFromBoxes", "inputs": boxes},
        "7": {"class_type": "LikenessEmbedFaces", "inputs": {**short["7"]["inputs"], "image": ["21", 0]}},
    }


def test_an_interrupted_video_stops_and_the_queue_goes_on(server):
    async def interrupt_in_the_middle() -> tuple[str, str]:
        import aiohttp

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{server}/ws?clientId=tests") as socket:
            long = queue(server, long_prompt(2000), client_id="tests")
            after = queue(server, factories.compare_prompt())
            async for message in socket:
                about = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else {"type": ""}
                if about["type"] == "progress" and 0 < about["data"]["value"] < about["data"]["max"]:
                    await http.post(f"{server}/interrupt")
                    return long, after
        raise RuntimeError("Expected progress, got none.")

    long, after = asyncio.run(interrupt_in_the_middle())
    entry = wait(server, long)
    assert entry["status"]["status_str"] == "error"
    assert [about["node_type"] for about in messages(entry, "execution_interrupted")] == ["LikenessEmbedFaces"]
    assert wait(server, after)["status"]["status_str"] == "success"


def test_examples_are_in_the_input_folder_on_the_first_start(server, served):
    for name, path in factories.PHOTOS.items():
        assert (served / f"input/likeness_{name}{path.suffix}").read_bytes() == path.read_bytes()


def test_the_pack_says_nothing(server, served):
    text = re.sub(r"\x1b\[\d+m", "", (served / "comfyui.log").read_text())
    lines = text.split("[Prompt Server] web root", 1)[1].splitlines()  # packs are loaded after this
    assert not [line for line in lines if line.startswith(("[WARNING]", "[ERROR]", "[CRITICAL]", "Traceback"))]
    (loaded,) = [line for line in lines if OURS in line]
    assert re.fullmatch(r"\[INFO\] +\d+\.\d seconds: .*/ComfyUI-Likeness", loaded)
