"""Workflows over /prompt of a ComfyUI that serves."""

import asyncio
import json
import re
import time

import pytest

import factories
import seeded
from canvas.server import comfyui, fetch
from headless import workflow
from headless.outputs import Stage
from same import assert_same_records

MINUTES = 60
PATIENCE = 5 * MINUTES
OURS = "ikeness"  # in our node ids, our folder and our messages
# What reenact_meshwarp shows of its photo, Grace Hopper's.
GLASSES = "[WARNING] Likeness: The photo seems to show glasses: brows and lids drag their frame along."


@pytest.fixture(scope="session")
def served(base, tmp_path_factory):
    """The folder that a server works in."""
    root = factories.write_base(tmp_path_factory.mktemp("served"), clip_frames=8)
    seeded.write(root, seeded.WORKFLOWS)
    return root


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


def messages(entry: dict, event: str) -> list[dict]:
    return [about for name, about in entry["status"]["messages"] if name == event]


def test_a_workflow_gives_what_the_stand_ins_give_and_a_second_time_nothing_is_computed(
    server, served, standins, tmp_path, workflow_file
):
    info = fetch(server, "/object_info").__getitem__
    prompt = workflow.to_api(seeded.read(workflow_file), info)
    first = wait(server, queue(server, prompt))
    assert first["status"]["status_str"] == "success", json.dumps(first["status"], indent=1)
    second = wait(server, queue(server, prompt))
    (cached,) = messages(second, "execution_cached")
    assert set(cached["nodes"]) == set(workflow.order(prompt, workflow.shown_nodes(prompt, info)))
    assert second["outputs"] == first["outputs"]
    records = Stage(tmp_path, served / "output", served / "temp").deliver(prompt, first["outputs"], info)
    assert_same_records(records, standins["workflows"][workflow_file.stem]["fp32"])


def test_an_interrupted_video_stops_and_the_queue_goes_on(server):
    async def interrupt_in_the_middle() -> tuple[str, str]:
        import aiohttp

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{server}/ws?clientId=tests") as socket:
            long = queue(server, factories.long_prompt(2000), client_id="tests")
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


def complaints(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("[WARNING]", "[ERROR]", "[CRITICAL]", "Traceback"))]


def test_the_pack_loads_in_silence_and_warns_of_nothing_but_what_a_node_shows(server, served):
    text = re.sub(r"\x1b\[\d+m", "", (served / "comfyui.log").read_text())
    loading, running = text.split("[Prompt Server] web root", 1)[1].split("Starting server", 1)
    (loaded,) = [line for line in loading.splitlines() if OURS in line]
    assert re.fullmatch(r"\[INFO\] +\d+\.\d seconds: .*/ComfyUI-Likeness", loaded)
    assert not complaints(loading.splitlines())
    assert set(complaints(running.splitlines())) <= {GLASSES}
