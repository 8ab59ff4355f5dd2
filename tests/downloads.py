"""Photos that may be fetched for a test and may not be kept in the repository: a package's own, cached per user."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import av
import pytest
import torch
from torch import Tensor

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "likeness-tests"
SDIST = CACHE / "face_recognition-1.3.0.tar.gz"  # MIT; official White House photos, for tests only
FOLDER = "face_recognition-1.3.0/tests/test_images"


def presidents() -> dict[str, Tensor]:
    """Three photos of one man and one of another, (1, H, W, 3) in [0, 1]; skips the test where they cannot be had."""
    if not SDIST.is_file():
        if not os.environ.get("LIKENESS_DOWNLOADS"):
            pytest.skip(f"{SDIST} is not there: set LIKENESS_DOWNLOADS=1 to fetch it from PyPI")
        flags = ["--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--dest", str(CACHE)]
        call = [sys.executable, "-m", "pip", "download", "-q", *flags, "face-recognition==1.3.0"]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120)
        if done.returncode or not SDIST.is_file():
            pytest.skip(f"pip could not fetch face-recognition 1.3.0: {done.stderr[-300:]}")
    with tarfile.open(SDIST) as archive:
        return {name: _read(archive, f"{FOLDER}/{name}.jpg") for name in ("obama", "obama2", "obama3", "biden")}


def _read(archive: tarfile.TarFile, name: str) -> Tensor:
    with av.open(archive.extractfile(name)) as container:
        frame = next(container.decode(video=0))
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).float()[None] / 255
