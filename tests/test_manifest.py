"""Every manifest satisfies models_manifest/schema.json, and what JSON Schema cannot say."""

import copy
import json
import re
from collections import defaultdict

import jsonschema
import pytest

from likeness.manifest import FOLDER, Conversion, File, Source, read_manifest, read_manifests, read_model

SCHEMA = json.loads((FOLDER / "schema.json").read_text())
PATHS = sorted(set(FOLDER.glob("*.json")) - {FOLDER / "schema.json"})
MODELS = [(manifest.system, model) for manifest in read_manifests() for model in manifest.models]

# Every system that the pack is to have, by task.
SYSTEMS = {
    "detect": "yunet blazeface mtcnn scrfd directmhp s3fd",
    "landmark": "mediapipe_mesh mediapipe_face fan chatanything",
    "parse": "mesh_regions selfie_segmentation rtnet easyportrait",
    "analyze": "facexformer fsfm_detectors faceptor farl facescan_paligemma finecliper dfer_clip",
    "embed": "dlib_resnet arcface facenet stylegan_encoders flip fsfm recognizability e4e face_directions",
    "adapt": "arc2face consistentid wplus_adapter facechain_fact facechain_lora pva stableidentity sefi_ide unif2ace",
    "synth": "vec2face idiff_face tp_gan sd_gan",
    "body": "mediapipe_body mediapipe_hands dwpose rtmw dope xnect osx smpler_x smplest_x multi_hmr mano",
    "reenact": "mesh_warp liveportrait dagan daganpp mcnet fsrt hyperreenact",
    "talk": "joyvasa ip_lap realtalk",
    "swap": "mesh_swap wsc_swap",
    "head3d": "canonical_head flame ict mica spectre hrn tempeh ssgmap pbidr panohead portrait3dgan facelift delta "
    "npva gaussian_head_shoulders teca dreamface tech studio_textures",
    "render": "light_sampling_field",
    "audit": "webface260m casual_conversations bias_experiments expression_explainability fakelocator",
}
# What a host makes of an owner, a name and a path: these are the parts that somebody must have read.
ADDRESS = re.compile(
    r"https://(?:github\.com/([^/]+/[^/]+)(?:/releases/download/([^/]+)/(.+)|/raw/HEAD/(.+))?"
    r"|huggingface\.co/([^/]+/[^/]+)|drive\.google\.com/(?:drive/folders/|file/d/|open\?id=)(.+))"
)

ENTRY = {
    "module": None,
    "task": "embed",
    "title": "Example",
    "paper": "https://example.org",
    "published": "Weights.",
    "models": [
        {
            "id": "example/v1",
            "folder": "face_embedding",
            "files": [
                {
                    "name": "example.safetensors",
                    "sources": [{"kind": "https", "url": "https://example.org/a.zip", "member": "a/b.pth", "bytes": 7}],
                    "bytes": None,
                    "sha256": None,
                }
            ],
            "code_license": "MIT",
            "weights_license": "MIT",
            "commercial": "yes",
            "needs": "",
        }
    ],
}


def changed(*path, **values) -> dict:
    """ENTRY with other values at a place in it; None takes one away."""
    entry = copy.deepcopy(ENTRY)
    at = entry
    for step in path:
        at = at[step]
    at.update(values)
    for key in [key for key, value in values.items() if value is ...]:
        del at[key]
    return entry


def stands_in(value: object, text: str) -> bool:
    """Whether a value stands in a text as a word, not as a piece of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(str(value))}(?![\w-])", text) is not None


def belongs(value: object, name: str, names: set[str], says: str) -> bool:
    """Whether the file name that stands last before a value, in a sentence, is this one."""
    for found in re.finditer(rf"(?<!\w){value}(?!\w)", says):
        ends = {known: says.rfind(known, 0, found.start()) + len(known) for known in names if known in says}
        before = {known: end for known, end in ends.items() if end >= len(known)}
        if before and before.get(name) == max(before.values()):
            return True
    return False


def unsaid(entry: dict) -> list:
    """The addresses, sizes and hashes of an entry that do not stand in its evidence, or stand there of another file."""
    said = [re.sub(r"(?<=\d),(?=\d{3})", "", evidence["says"]) for evidence in entry.get("evidence", [])]
    files = [file for model in entry["models"] for file in model["files"]]
    brought = [(file, source) for file in files for source in file["sources"] if source["kind"] != "bundled"]
    names = {name_of(source) for _, source in brought}
    missing = []
    for file, source in brought:
        address = ADDRESS.fullmatch(source.get("url", ""))
        values = list(address.groups()) if address else [source.get("url")]
        values += [source["repo"], source["path"], source["revision"]] if source["kind"] == "hub" else []
        missing += [v for v in values if v not in (None, "main") and not any(stands_in(v, says) for says in said)]
        made = "convert" in source or "member" in source
        numbers = [source.get("bytes"), source.get("sha256"), *([] if made else [file["bytes"], file["sha256"]])]
        numbers = [number for number in numbers if number is not None]
        missing += [n for n in numbers if not any(belongs(n, name_of(source), names, says) for says in said)]
    return missing


def name_of(source: dict) -> str:
    """The name of what a source sends."""
    return (source.get("path") or source["url"]).split("/")[-1]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_manifest_satisfies_the_schema(path):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_what_a_manifest_states_was_read_somewhere(path):
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert unsaid(entry) == []
    assert entry["module"] or entry["evidence"]


def test_a_value_that_nobody_read_is_seen():
    url, sha256 = "https://github.com/owner/name/releases/download/v1/a.pth", "0" * 64
    invented = changed("models", 0, "files", 0, sources=[{"kind": "release", "url": url}], bytes=1234567, sha256=sha256)
    assert unsaid(invented) == ["owner/name", "v1", "a.pth", 1234567, sha256]
    read = {"where": "a page", "says": f"owner/name, release v1: a.pth, 1,234,567 B, {sha256}"}
    assert unsaid(invented | {"evidence": [read]}) == []
    cut = {"where": "a page", "says": f"owner/name, release v1: a.pth, 91,234,567 B, {sha256}"}
    assert unsaid(invented | {"evidence": [cut]}) == [1234567]
    assert unsaid(changed()) == ["https://example.org/a.zip", 7]


def test_a_value_that_is_another_files_is_seen():
    a, b = ({"kind": "hub", "repo": "owner/name", "revision": "main", "path": f"{name}.bin"} for name in "ab")
    files = [{"name": "n", "sources": [source], "bytes": size, "sha256": None} for source, size in ((a, 5), (b, 8))]
    read = {"where": "a page", "says": "owner/name: a.bin 5 B, b.bin 8 B"}
    assert unsaid(changed("models", 0, files=files) | {"evidence": [read]}) == []
    swapped = {"where": "a page", "says": "owner/name: a.bin 8 B, b.bin 5 B"}
    assert unsaid(changed("models", 0, files=files) | {"evidence": [swapped]}) == [5, 8]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_changed_digit_of_what_was_read_is_seen(path):
    entry = json.loads(path.read_text(encoding="utf-8"))
    files = [file for model in entry["models"] for file in model["files"]]
    brought = [file for file in files if all(source["kind"] != "bundled" for source in file["sources"])]
    for part in [part for file in brought for part in (file, *file["sources"])]:
        for field in {"bytes", "sha256", "url", "repo"} & part.keys():
            kept = part[field]
            if kept is not None:
                part[field] = kept + 1 if field == "bytes" else kept[:-1] + ("0" if kept[-1] != "0" else "1")
                assert unsaid(entry), f"{field} {kept} may be anything"
                part[field] = kept


@pytest.mark.parametrize("task", SYSTEMS)
def test_every_system_has_a_manifest(task):
    assert {name for name in SYSTEMS[task].split() if read_manifest(name).task == task} == set(SYSTEMS[task].split())


@pytest.mark.parametrize(("system", "model"), MODELS, ids=lambda value: getattr(value, "id", ""))
def test_files_that_are_joined_are_told_apart(system, model):
    tensors = [file for file in model.files if not file.name.endswith((".onnx", ".json"))]
    assert len({file.part for file in tensors}) == len(tensors)


def test_no_id_is_given_twice():
    ids = [model.id for _, model in MODELS]
    assert len(ids) == len(set(ids))


def test_the_schema_is_a_schema_and_takes_the_example():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(ENTRY)


@pytest.mark.parametrize(
    "entry",
    [
        changed(task=...),
        changed(colour="red"),
        changed("models", 0, commercial="maybe"),
        changed("models", 0, folder="../models"),
        changed("models", 0, "files", 0, name="../escape.safetensors"),
        changed("models", 0, "files", 0, name="/etc/passwd"),
        changed("models", 0, "files", 0, name="C:\\weights.pth"),
        changed("models", 0, "files", 0, sha256="abc"),
        changed("models", 0, "files", 0, bytes=0),
        changed("models", 0, "files", 0, "sources", 0, kind="torrent"),
        changed("models", 0, "files", 0, "sources", 0, url="file:///etc/passwd"),
        changed("models", 0, "files", 0, "sources", 0, member=...),
        changed("models", 0, "files", 0, sources=[{"kind": "hub", "repo": "owner/name", "path": "a.pth"}]),
        changed("models", 0, "files", 0, sources=[{"kind": "manual", "url": "https://example.org"}]),
        changed("models", 0, "files", 0, sources=[]),
    ],
    ids=repr,
)
def test_the_schema_refuses(entry):
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(entry)


@pytest.mark.parametrize(("system", "model"), MODELS, ids=lambda value: getattr(value, "id", ""))
def test_an_id_begins_with_its_system_and_is_found(system, model):
    assert model.id.split("/")[0] == system
    assert read_model(model.id) == model


@pytest.mark.parametrize(("system", "model"), MODELS, ids=lambda value: getattr(value, "id", ""))
def test_what_is_converted_becomes_safetensors(system, model):
    for file in model.files:
        assert file.name.endswith(".safetensors") or not any(source.convert for source in file.sources)


def test_no_two_files_of_different_content_go_to_one_place():
    places = defaultdict(set)
    for _, model in MODELS:
        for file in model.files:
            places[model.folder, file.name.lower()].add(file)
    assert [place for place, files in places.items() if len(files) > 1] == []


def test_a_bundled_file_is_there_with_its_size():
    bundled = [file for _, model in MODELS for file in model.files if file.bundled]
    assert bundled
    for file in bundled:
        assert file.bundled.stat().st_size == file.bytes


def test_a_manifest_names_its_task_even_without_a_module():
    assert read_manifest("yunet").task == "detect"
    assert {manifest.task for manifest in read_manifests()}


def test_an_unknown_id_is_answered_with_those_of_its_system():
    with pytest.raises(ValueError, match=r"got yunet/2099: one of yunet/2023mar\."):
        read_model("yunet/2099")


@pytest.mark.parametrize(
    ("source", "name", "text"),
    [
        (Source("hub", path="ckpt/a.pth", repo="o/n", revision="abc"), "a.pth", "o/n@abc: ckpt/a.pth"),
        (Source("https", url="https://x.org/d/a%20b.zip?v=2"), "a b.zip", "https://x.org/d/a%20b.zip?v=2"),
        (
            Source("manual", path="mica.tar", url="https://x.org", steps="Register."),
            "mica.tar",
            "Register. See https://x.org",
        ),
    ],
)
def test_a_source_names_what_it_sends(source, name, text):
    assert source.sent_name == name
    assert str(source) == text


@pytest.mark.parametrize(
    ("source", "page"),
    [
        (Source("hub", path="ckpt/a.pth", repo="o/n", revision="abc"), "https://huggingface.co/o/n"),
        (
            Source("release", url="https://github.com/o/n/releases/download/v1/a.pt"),
            "https://github.com/o/n/releases/tag/v1",
        ),
        (Source("https", url="https://x.org/a.zip"), ""),
        (Source("manual", url="https://x.org", steps="Register."), "https://x.org"),
        (Source("bundled", path="a.onnx"), ""),
    ],
)
def test_a_source_has_a_page_to_read(source, page):
    assert source.page == page


@pytest.mark.parametrize("id", ["liveportrait/human", "facenet/vggface2"])
def test_who_does_not_have_the_files_is_given_their_page(id):
    model = read_model(id)
    for source in model.files[0].sources:
        assert f"{source} ({source.page})" in model.how_to_get()


def test_the_size_of_a_download_is_that_of_what_is_sent():
    pickled = Source("https", url="https://x.org/a.pth", convert=Conversion(keep="network"), bytes=8)
    assert File("a.safetensors", (pickled,), bytes=3, sha256=None).download_bytes == 8
    assert File("a.pth", (Source("https", url="https://x.org/a.pth"),), bytes=3, sha256=None).download_bytes == 3
