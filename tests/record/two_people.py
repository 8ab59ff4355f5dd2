"""Makes the starter photo of two people out of the other two: ``python -m tests.record.two_people``."""

from pathlib import Path

from PIL import Image

PHOTOS = Path(__file__).parents[2] / "models_manifest/starter/photos"
SIZE = (400, 500)  # of each half, pixels
LEFT = ("astronaut.png", (86, 0, 354, 335))  # left, top, right, bottom, pixels of the photo
RIGHT = ("grace_hopper.jpg", (66, 20, 466, 520))


def main() -> None:
    sheet = Image.new("RGB", (2 * SIZE[0], SIZE[1]))
    for place, (name, box) in enumerate((LEFT, RIGHT)):
        with Image.open(PHOTOS / name) as photo:
            half = photo.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS, box)
            sheet.paste(half, (place * SIZE[0], 0))
    sheet.save(PHOTOS / "two_people.jpg", quality=88)


if __name__ == "__main__":
    main()
