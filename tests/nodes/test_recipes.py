"""The recipes with two editors in place of the user's files: one that changes nothing, one that inverts colours.

Looked at frame by frame around an exit, a cut and a turn into profile: ``scenes.sheet`` lays the film out.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import editors
import factories
import scenes
from headless import standalone, workflow

WORKFLOWS = Path(__file__).parents[2] / "workflows"
FACE = (slice(85, 155), slice(195, 250))  # rows and columns in the middle of the astronaut's face
AWAY = (slice(300, 512), slice(0, 512))  # below every crop
SEEN = [*scenes.HERE, *range(8, 12), *scenes.HOPPER, *scenes.TURNS]


@pytest.fixture(params=editors.EDITORS)
def editor(request):
    return request.param


@pytest.fixture
def session(base, editor):
    """The stand-ins for ComfyUI, and for the user's files."""
    editors.write_models(base, editor)
    return editors.fill_in(standalone.start(base), editor)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return scenes.write(tmp_path_factory.mktemp("film") / "film.mp4")


def run(session, name: str) -> dict:
    """What a template's output nodes show, by title."""
    prompt = workflow.to_api(json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8")), session.info)
    return {prompt[key]["_meta"]["title"]: shown for key, shown in session.run(prompt).items()}


def read(base: Path, shown: dict) -> torch.Tensor:
    """(H, W, 3) the picture that a node saved."""
    (about,) = shown["images"]
    with Image.open(base / "output" / about["subfolder"] / about["filename"]) as picture:
        return torch.from_numpy(np.array(picture)).float() / 255


@pytest.mark.parametrize(
    ("name", "title", "closest"),
    [("detail_faces", "Detailed", 37), ("restore_upscale", "Restored", 38), ("restore_faces", "Restored", 42)],
)
def test_a_face_comes_back_as_its_editor_made_it_and_the_rest_stays(session, base, editor, name, title, closest):
    photo, result = factories.read_photo("astronaut")[0], read(base, run(session, name)[title])
    assert (result[AWAY] - photo[AWAY]).abs().max() < 1.01 / 255  # as PNG
    expected = editors.EDITORS[editor](photo)[FACE]
    strength = 0.8 if name == "restore_faces" else 1.0
    expected = torch.lerp(photo[FACE], expected, strength)
    psnr = float(-10 * (result[FACE] - expected).square().mean().log10())
    assert psnr > closest


def test_several_faces_of_several_images_are_one_call_of_the_sampler(session, base, editor, monkeypatch):
    sizes = []

    def watch(latent_image, **_):
        sizes.append(tuple(latent_image.shape))
        return session.nodes["VAEDecode"].execute(samples=editors.EDITORS[editor](latent_image), vae=None)

    monkeypatch.setattr(session.nodes["KSampler"], "execute", staticmethod(watch))
    Image.fromarray((factories.people(2)[0] * 255).byte().numpy()).save(base / "input/likeness_astronaut.png")
    run(session, "detail_faces")
    assert sizes == [(2, 512, 512, 3)]


@pytest.fixture(scope="module")
def known() -> dict:
    """What ``through`` gave, for it takes a while."""
    return {}


@pytest.fixture
def through(session, film, editor, known):
    """Crops a film's largest face, edits the crops, pastes them: the film before and after, and the crops."""
    from comfy_api.latest import InputImpl, Types

    clip, nodes = InputImpl.VideoFromFile(str(film)), session.nodes

    def execute(missing: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if (editor, missing) not in known:
            known[editor, missing] = make(missing)
        return known[editor, missing]

    def make(missing: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
            tracked = nodes["LikenessTrackVideo"].execute(clip, detector).args[0]
            (one, _) = nodes["LikenessSelectFaces"].execute(tracked, "size", 1).args
            crops, alignment, boxes = nodes["LikenessCropVideo"].execute(clip, one, 192, "ffhq", missing).args
            parts = crops.get_components()
            pixels = editors.EDITORS[editor](parts.images)
            edited = InputImpl.VideoFromComponents(Types.VideoComponents(pixels, parts.frame_rate))
            pasted = nodes["LikenessPasteVideo"].execute(clip, edited, alignment, crf=4.0).args[0]
        assert [len(frame) for frame in boxes] == [1 if n in alignment.faces.image_index else 0 for n in range(37)]
        return clip.get_components().images, pasted.get_components().images, parts.images

    return execute


def test_a_film_keeps_every_frame_through_exit_cut_and_profile(through, editor):
    before, after, crops = through("skip")
    assert len(after) == len(before) == scenes.COUNT
    changed = (after - before).abs().mean((1, 2, 3))
    nobody = list(scenes.NOBODY)
    assert changed[nobody].max() < 0.005
    if editor == "identity":
        assert changed.max() < 0.02
    else:
        assert changed[SEEN].min() > 0.04
    assert len(crops) <= scenes.COUNT - len(nobody)


def test_around_a_cut_each_shot_has_its_own_crop(through, editor):
    """The frames on both sides of a cut are edited where their own face is, and nowhere else."""
    before, after, _ = through("skip")
    changed = (after - before).abs().mean(-1)
    first, last = scenes.HOPPER.start, scenes.NOBODY.stop - 1
    assert changed[last].max() < 0.1
    assert changed[first][:, :40].mean() < 0.03  # the flag at the left border
    for number in (first, scenes.HOPPER.stop - 1, scenes.TURNS.start):
        face = changed[number][70:110, 100:130].mean()
        assert (face > 0.15) == (editor == "inverted"), number


def test_a_face_video_is_as_long_as_its_film_and_square(through):
    _, _, crops = through("hold")
    assert crops.shape == (scenes.COUNT, 192, 192, 3)


def test_a_held_frame_shows_the_place_of_the_face_before(through):
    before, _, crops = through("hold")
    held = crops[scenes.NOBODY.start]
    shown = held[held.sum(-1) > 0.3]
    assert (shown - before[scenes.NOBODY.start].mean((0, 1))).abs().mean() < 0.02  # the empty background
