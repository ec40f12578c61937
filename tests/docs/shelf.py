"""Small data sets under the names that the pages use for the reader's own."""

import gzip
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 160
"""Images in each: more than the batches of the pages, few enough to write in no time."""


def fill(folder: Path) -> None:
    """Write photos/, photos.zip, pets/CLASS/, scans/ with a broken file, mnist/ and faces.npz.

    Of a clone of ganzoo, registry.json. For translation: horses/, zebras/ and pairs/, whose images
    hold a photo and its negative. For videos: sprites/, of characters that move.
    """
    shutil.copy(Path(__file__).parents[2] / "registry.json", folder)
    _write_photos(folder / "photos", COUNT, seed=0)
    for seed, kind in enumerate(("cats", "dogs")):
        _write_photos(folder / "pets" / kind, COUNT // 2, seed=seed)
    _write_photos(folder / "scans", COUNT, seed=3)
    (folder / "scans" / "0007.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for file in sorted((folder / "photos").iterdir()):
            archive.write(file, f"photos/{file.name}")
    for seed, kind in ((5, "horses"), (6, "zebras")):
        _write_photos(folder / kind, COUNT // 4, seed=seed)
    _write_pairs(folder / "pairs", COUNT // 4)
    _write_mnist(folder / "mnist")
    _write_sprites(folder / "sprites")
    pixels = np.random.default_rng(4).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "faces.npz", images=pixels, labels=np.arange(COUNT) % 4)


def _write_photos(folder: Path, count: int, seed: int) -> None:
    """Write smooth colours of many sizes, some greyscale or transparent."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        coarse = generator.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        width, height = (int(side) for side in generator.integers(24, 80, 2))
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        mode = {0: "L", 1: "RGBA"}.get(number % 10, "RGB")
        suffix = "png" if mode == "RGBA" or number == 7 or number % 2 else "jpg"
        image.convert(mode).save(folder / f"{number:04d}.{suffix}")


def _write_pairs(folder: Path, count: int) -> None:
    """Write pairs side by side, split into train/ and test/."""
    generator = np.random.default_rng(7)
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (3, 3, 3), dtype=np.uint8))
        left = np.asarray(coarse.resize((32, 32), Image.Resampling.BICUBIC))
        place = folder / ("test" if number % 5 == 0 else "train") / f"{number:04d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate([left, 255 - left], axis=1)).save(place)


def _write_sprites(folder: Path) -> None:
    """Write strips of 24 frames for characters of three moves, and what each of them shows."""
    rows = ["file,character,move"]
    for split, characters in (("train", range(36)), ("test", range(36, 48))):
        (folder / split).mkdir(parents=True)
        for character in characters:
            colour = np.random.default_rng(character).integers(0, 256, 3, dtype=np.uint8)
            for move in range(3):
                strip = np.full((64, 24 * 64, 3), 255, dtype=np.uint8)
                for frame in range(24):
                    left = 64 * frame + frame + 8 * move
                    strip[20:40, left : left + 16] = colour
                name = f"{character:02d}_{move}.png"
                Image.fromarray(strip).save(folder / split / name)
                rows.append(f"{name},{character},{move}")
    (folder / "index.csv").write_text("\n".join(rows))


def _write_mnist(folder: Path) -> None:
    """Write real digits in the files and the size of MNIST."""
    from sklearn.datasets import load_digits

    folder.mkdir()
    pixels, labels = load_digits(return_X_y=True)
    small = (pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    digits = np.stack([np.asarray(Image.fromarray(digit).resize((28, 28))) for digit in small])
    for split, part in (("train", slice(0, 600)), ("t10k", slice(600, 700))):
        images, classes = digits[part], labels[part].astype(np.uint8)
        head = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
        with gzip.open(folder / f"{split}-images-idx3-ubyte.gz", "wb") as file:
            file.write(head + images.tobytes())
        with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4BI", 0, 0, 8, 1, len(classes)) + classes.tobytes())
