"""Hub addresses and tokens, proxies, redirects to other hosts. Each in a process of its own, for all is environment."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import loopback
from loopback import serving

ROOT = Path(__file__).parents[2]
BODY = loopback.noise(50_000)
REVISION = "0123abc"
PATH = f"/owner/name/resolve/{REVISION}/ckpt/weights.bin"
CHILD = """
import json, sys
from pathlib import Path
from likeness.fetch import Folders, Network, download
from likeness.manifest import File, Model, Source
source, base = json.loads(sys.argv[1]), Path(sys.argv[2])
model = Model("a/b", "example", (File("weights.bin", (Source(**source),), None, None),), "MIT", "MIT", "yes", "")
(path,) = download(model, Folders(base / "models", base / "a.json", {}), network=Network(0.5, 2, 0.01))
print(path.stat().st_size)
"""
HUB = {"kind": "hub", "repo": "owner/name", "revision": REVISION, "path": "ckpt/weights.bin"}


def fetch(base: Path, source: dict, **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith(("_proxy", "token"))}
    return subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(source), str(base)],
        env={**clean, "HF_HOME": str(base / "hf"), "HOME": str(base), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def redirect(url: str, **headers: str):
    return lambda handler, _: loopback.answer(handler, 302, Location=url, **headers)


def test_a_hub_file_is_asked_at_its_endpoint_and_revision_with_the_token_that_no_other_host_sees(tmp_path):
    sha256 = hashlib.sha256(BODY).hexdigest()
    with serving({"/blob": BODY}) as storage:
        onward = redirect(f"{storage.url}/blob?signed=yes", X_Linked_ETag=f'"{sha256}"')
        with serving({}, onward) as hub:
            done = fetch(tmp_path, HUB, HF_ENDPOINT=hub.url, HF_TOKEN="hf_secret")
    assert done.stdout.strip() == str(len(BODY)), done.stderr
    assert [request.path for request in hub.requests] == [PATH]
    assert hub.requests[0].headers["authorization"] == "Bearer hf_secret"
    assert "authorization" not in storage.requests[0].headers


def test_a_hash_that_the_hub_states_is_checked(tmp_path):
    with serving({"/blob": BODY}) as storage:
        onward = redirect(f"{storage.url}/blob", X_Linked_ETag=f'"{"0" * 64}"')
        with serving({}, onward) as hub:
            done = fetch(tmp_path, HUB, HF_ENDPOINT=hub.url)
    assert done.returncode
    assert f"Expected sha256 {'0' * 64}, got" in done.stderr
    assert not (tmp_path / "models/example/weights.bin").exists()


def test_a_redirect_within_the_hub_keeps_the_token(tmp_path):
    with serving({"/moved": BODY}, redirect("/moved")) as hub:
        done = fetch(tmp_path, HUB, HF_ENDPOINT=hub.url, HF_TOKEN="hf_secret")
    assert done.returncode == 0, done.stderr
    assert [request.headers.get("authorization") for request in hub.requests] == ["Bearer hf_secret"] * 2


def test_a_netrc_password_replaces_no_token_and_goes_to_no_server(tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password mine\n")
    (tmp_path / ".netrc").chmod(0o600)
    with serving({PATH: BODY}) as hub:
        fetch(tmp_path, HUB, HF_ENDPOINT=hub.url, HF_TOKEN="hf_secret")
    assert hub.requests[0].headers["authorization"] == "Bearer hf_secret"


def test_offline_the_hub_is_not_asked(tmp_path):
    with serving({PATH: BODY}) as hub:
        done = fetch(tmp_path, HUB, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1")
    assert (hub.requests, done.returncode) == ([], 1)
    assert "owner/name@0123abc: ckpt/weights.bin: not asked, for HF_HUB_OFFLINE is set" in done.stderr


@pytest.mark.parametrize("exempt", [False, True], ids=["asked", "exempt"])
def test_the_environments_proxy_is_asked_unless_the_host_is_exempt(tmp_path, exempt):
    source = {"kind": "https", "url": "http://weights.invalid/weights.bin"}
    with serving({"http://weights.invalid/weights.bin": BODY}) as proxy:
        done = fetch(tmp_path, source, http_proxy=proxy.url, no_proxy="weights.invalid" if exempt else "")
    assert (done.returncode == 0) is not exempt
    assert [request.path for request in proxy.requests] == [] if exempt else ["http://weights.invalid/weights.bin"]
    assert exempt or "authorization" not in proxy.requests[0].headers


def test_an_https_address_does_not_lead_to_an_open_one(monkeypatch):
    import requests

    from likeness.fetch.address import PATIENT, Address
    from likeness.fetch.client import _open
    from likeness.fetch.watch import QUIET

    answer = requests.Response()
    answer.status_code, answer.raw, answer.headers["location"] = 302, io.BytesIO(), "http://127.0.0.1/x"
    monkeypatch.setattr(requests.Session, "get", lambda *args, **options: answer)
    with pytest.raises(ValueError, match=r"Refused to follow https://127\.0\.0\.1/a to an address of http"):
        _open(requests.Session(), Address("https://127.0.0.1/a"), {}, PATIENT, QUIET)
