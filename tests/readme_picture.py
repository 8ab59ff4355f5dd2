"""The README's picture, of what ``make demo`` made: ``python -m tests.readme_picture demo``."""

import sys
from pathlib import Path

import av
from PIL import Image

PICTURE = Path(__file__).parents[1] / "README.jpg"
SIDE = 256  # of a panel
FACE, TALK = (140, 20, 320, 200), (107, 45, 397, 335)  # squares around the astronaut's face and Grace Hopper's
MOVED = (14, 30)  # frames of the moving photo: she speaks, and turns

Square = tuple[int, int, int, int] | None
PANELS: tuple[tuple[str, int, Square], ...] = (
    ("quickstart/likeness/faces_00001_.png", 0, FACE),
    ("parse_regions/likeness/lips_00001_.png", 0, FACE),
    ("swap_mesh/likeness/swapped_00001_.png", 0, FACE),
    *(("reenact_meshwarp/likeness/moving_00001_.mp4", number, TALK) for number in MOVED),
    ("head3d_canonical/likeness/head_left_00001_.png", 0, None),
)


def panel(path: Path, number: int, square: Square) -> Image.Image:
    """A square of a picture, or of a video's frame."""
    with av.open(str(path)) as container:
        frame = next(frame for n, frame in enumerate(container.decode(video=0)) if n == number)
    return frame.to_image().convert("RGB").crop(square).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def strip(demo: Path) -> Image.Image:
    """All panels side by side."""
    sheet = Image.new("RGB", (SIDE * len(PANELS), SIDE))
    for place, (name, number, square) in enumerate(PANELS):
        sheet.paste(panel(demo / name, number, square), (place * SIDE, 0))
    return sheet


if __name__ == "__main__":
    strip(Path(sys.argv[1])).save(PICTURE, quality=88)
