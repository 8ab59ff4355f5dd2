"""What the model panel asks of the server. Its routes take manifest ids only, never a path or a URL.

ComfyUI's own middleware refuses requests of other origins before they arrive here.
"""

import asyncio
import json
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from server import PromptServer

from ..likeness import fetch
from ..likeness.manifest import Manifest, Model, read_manifests, read_model
from . import weights

EVENT = "likeness.models"
VERBS = ("download", "verify", "pause", "cancel", "accept")


@dataclass
class Job:
    """A download or a check, waiting or under way."""

    verb: str
    state: str = "waiting"  # waiting, running, paused, failed, done
    file: str = ""
    done: int = 0  # bytes of the file
    total: int | None = None
    says: str = ""  # what went wrong, or what was found
    stopped: bool = False
    discarded: bool = False  # what has arrived is not wanted


class Jobs:
    """One job after another in a thread of its own; a network line is not shared."""

    def __init__(self, tell: Callable[[dict], None]) -> None:
        self.tell, self.jobs = tell, {}
        self.waiting: queue.Queue[str] = queue.Queue()
        self.thread: threading.Thread | None = None

    def start(self, id: str, verb: str) -> None:
        if (job := self.jobs.get(id)) and job.state in ("waiting", "running"):
            return
        self.jobs[id] = Job(verb)
        self.waiting.put(id)
        if self.thread is None:
            self.thread = threading.Thread(target=self._work, name="likeness-models", daemon=True)
            self.thread.start()

    def stop(self, id: str, discarded: bool) -> None:
        job = self.jobs.get(id) or Job("download", "paused")
        job.stopped, job.discarded = True, discarded
        if job.state != "running":  # else its thread sees it
            self._rest(id, job)

    def _rest(self, id: str, job: Job) -> None:
        job.state = "paused"
        if job.discarded:
            fetch.discard(read_model(id), weights.folders())
            self.jobs.pop(id, None)

    def _work(self) -> None:
        while True:
            id = self.waiting.get()
            job = self.jobs.get(id)
            if job and job.state == "waiting":
                self._run(id, job)
                self.tell({"id": id, **vars(job)})

    def _run(self, id: str, job: Job) -> None:
        def show(name: str, done: int, total: int | None) -> None:
            moved = name != job.file or total in (None, 0, done) or (done - job.done) * 100 > total
            if moved:
                job.file, job.done, job.total = name, done, total
                self.tell({"id": id, **vars(job)})

        job.state = "running"
        watch, model, folders = fetch.Watch(show, lambda: job.stopped), read_model(id), weights.folders()
        try:
            if job.verb == "download":
                fetch.download(model, folders, watch)
                job.state = "done"
            else:
                found = fetch.verify(model, folders, watch)
                job.says = "\n".join(verdict.says for verdict in found if verdict.says) or "sound"
                job.state = "done" if all(verdict.state in ("sound", "unknown") for verdict in found) else "failed"
        except InterruptedError:
            self._rest(id, job)
        except Exception as error:  # whatever it is, the jobs that wait are to run
            job.state, job.says = "failed", str(error)
            logging.warning("Likeness: %s: %s", id, error)


def describe(jobs: Jobs) -> list[dict]:
    """Every published system with its weights and what is there of them."""
    folders = weights.folders()
    return [_system(manifest, folders, jobs) for manifest in read_manifests()]


def _system(manifest: Manifest, folders: fetch.Folders, jobs: Jobs) -> dict:
    return {
        "system": manifest.system,
        "task": manifest.task,
        "title": manifest.title,
        "paper": manifest.paper,
        "published": manifest.published,
        "works": manifest.module is not None,
        "models": [_model(model, folders, jobs) for model in manifest.models],
    }


def _model(model: Model, folders: fetch.Folders, jobs: Jobs) -> dict:
    job = jobs.jobs.get(model.id)
    told = dict(vars(job)) if job else None  # before the files are looked at: a job that goes on is told of again
    found = fetch.plan(model, folders)
    return {
        "id": model.id,
        "state": found.state,
        "bytes": found.bytes,
        "accepted": found.accepted,
        "commercial": model.commercial,
        "license": model.weights_license,
        "license_url": model.weights_license_url,
        "needs": model.needs,
        "steps": model.how_to_get(),
        "pages": sorted({source.page for file in model.files for source in file.sources if source.page}),
        "files": [
            {"name": have.file.name, "state": have.state, "target": str(have.path or have.target)}
            for have in found.files
        ],
        "job": told,
    }


def register() -> None:
    """Serve the panel, where there is a server."""
    server = getattr(PromptServer, "instance", None)
    if not hasattr(server, "routes"):
        return
    from aiohttp import web

    jobs = Jobs(lambda news: server.send_sync(EVENT, news))

    @server.routes.get("/likeness/models")
    async def show(request):
        try:
            return web.json_response(await asyncio.to_thread(describe, jobs))
        except (OSError, ValueError) as error:  # a record of this installation that cannot be read; says what to do
            return web.json_response({"error": str(error)}, status=500)

    @server.routes.post("/likeness/models/{verb}")
    async def act(request):
        verb, text = request.match_info["verb"], await request.text()
        try:
            given = json.loads(text)
        except ValueError:
            given = None
        id = given.get("id") if isinstance(given, dict) else None
        if verb not in VERBS or not isinstance(id, str) or set(given) != {"id"}:
            said = f"Expected one of {', '.join(VERBS)} with the id of published weights."
            return web.json_response({"error": said}, status=400)
        try:
            await asyncio.to_thread(perform, jobs, verb, id)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404)
        except PermissionError as error:
            return web.json_response({"error": str(error)}, status=403)
        return web.json_response(await asyncio.to_thread(_model, read_model(id), weights.folders(), jobs))


def perform(jobs: Jobs, verb: str, id: str) -> None:
    """Do what a button says.

    Raises:
        ValueError: No manifest has the id.
        PermissionError: The licence has to be accepted before this download.
    """
    model, folders = read_model(id), weights.folders()
    if verb == "accept":
        fetch.accept(id, folders.accepted)
    elif verb == "download":
        found = fetch.plan(model, folders)
        if not (found.installed or found.accepted or found.state == "manual"):
            raise PermissionError(weights.explain(found))
        jobs.start(id, verb)
    elif verb == "verify":
        jobs.start(id, verb)
    else:
        jobs.stop(id, discarded=verb == "cancel")
