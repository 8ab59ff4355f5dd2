"""The shipped photos, where workflows find them."""

import pytest

import factories

NAMES = [f"likeness_{path.name}" for path in factories.EXAMPLES.values()]


def test_photos_are_there_on_the_first_start(pack, tmp_path):
    pack.nodes.copy_examples(tmp_path / "input")
    assert {path.name for path in (tmp_path / "input").iterdir()} >= set(NAMES)
    for path in factories.EXAMPLES.values():
        assert (tmp_path / "input" / f"likeness_{path.name}").read_bytes() == path.read_bytes()


def test_what_is_there_stays(pack, tmp_path):
    (tmp_path / NAMES[0]).write_text("mine")
    pack.nodes.copy_examples(tmp_path)
    assert (tmp_path / NAMES[0]).read_text() == "mine"


def test_a_folder_that_cannot_be_written_stops_nothing(pack, tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "file").touch()
    pack.nodes.copy_examples(tmp_path / "file/input")
    assert f"{NAMES[0]} is not in the input folder" in caplog.text


@pytest.mark.parametrize(("refused", "copied"), [(False, True), (True, False)])
def test_copies_can_be_refused(pack, home, tmp_path, monkeypatch, refused, copied):
    from headless import standalone

    monkeypatch.setattr(pack.nodes, "REFUSED", refused)
    standalone.start(tmp_path)
    assert (tmp_path / "input" / NAMES[0]).exists() == copied
    standalone.start(home)
