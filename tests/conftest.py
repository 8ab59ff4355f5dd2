import pytest

from headless.__main__ import choose_host


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Where the stand-ins have models, input and output when a test names no other folder."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def pack(home):
    """The pack on the stand-ins; reach its library as ``pack.likeness``, for ``likeness`` itself is another copy."""
    from headless import standalone

    if choose_host() is not standalone:
        pytest.skip("this interpreter runs ComfyUI: unset COMFYUI_PATH, for a process has one host")
    module = standalone.load_pack()
    standalone.start(home)
    return module


@pytest.fixture(scope="session")
def nodes(pack, home) -> dict[str, type]:
    """The pack's nodes by id."""
    from headless import standalone

    return {name: node for name, node in standalone.start(home).nodes.items() if name.startswith("Likeness")}


@pytest.fixture
def base(pack, home, tmp_path):
    """A folder with photos and no models; what a test starts on it is put back."""
    import factories
    from headless import standalone

    yield factories.write_base(tmp_path)
    standalone.start(home)
