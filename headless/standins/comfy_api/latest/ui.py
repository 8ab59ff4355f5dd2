"""What a node shows."""

from pathlib import Path

import folder_paths
import numpy as np
import torch
from PIL import Image

from .io import FolderType


class SavedResult(dict):
    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=type.value)


def save_as(prefix: str, kind: FolderType, suffix: str) -> tuple[str, SavedResult]:
    """The next free path below the output or temp folder, and how to show it."""
    root = folder_paths.get_directory_by_type(kind.value)
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, root)
    file = f"{name}_{number:05}_.{suffix}"
    return str(Path(folder, file)), SavedResult(file, subfolder, kind)


def save_images(images: torch.Tensor, prefix: str, kind: FolderType) -> list[SavedResult]:
    shown = []
    for image in images:
        path, saved = save_as(prefix, kind, "png")
        pixels = (255.0 * image.cpu().numpy()).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, compress_level=4)
        shown.append(saved)
    return shown
