"""IDX, the file format of MNIST and its relatives, gzipped or not."""

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, cast

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat, fit_block
from ganzoo_core.data.source import (
    Broken,
    DataInfo,
    Labels,
    block_length,
    checked_labels,
    existing,
    listed,
    numbered_classes,
    single_split,
    stat_signature,
)
from ganzoo_core.errors import DataError

UNSIGNED_BYTE = 0x08
LARGEST_IMAGE = 1 << 28
SPLIT_WORDS = {"train": ("train",), "test": ("t10k", "test")}


@dataclass(frozen=True)
class IdxSource:
    """An IDX file of images [N, H, W] and, where there is one, the file of their labels [N]."""

    images: Path
    labels_file: Path | None

    @property
    def place(self) -> str:
        """The path of the images file."""
        return str(self.images)

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        with _reading(self.images) as stream:
            count, height, width = _read_header(stream, self.images, dimensions=3)
        if 0 in (count, height, width):
            raise DataError(f"{self.images} holds {count} images of {height}×{width}: it is empty")
        if height * width > LARGEST_IMAGE:
            raise DataError(f"{self.images} claims images of {height}×{width}: it is damaged")
        return count, height, width

    def __len__(self) -> int:
        return self._shape[0]

    def look(self) -> DataInfo:
        """Return what the headers say, and the number of classes from the labels."""
        count, height, width = self._shape
        return DataInfo(max(height, width), 1, len(self.labels()[1]), count)

    def signature(self) -> list[object]:
        """Return the state of the one or two files."""
        files = [self.images] if self.labels_file is None else [self.images, self.labels_file]
        return ["idx", *stat_signature(files)]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the labels, and their numbers as names, or (None, ())."""
        if self.labels_file is None:
            return None, ()
        with _reading(self.labels_file) as stream:
            (count,) = _read_header(stream, self.labels_file, dimensions=1)
            values = np.frombuffer(_read_exactly(stream, count, self.labels_file), dtype=np.uint8)
            _expect_end(stream, self.labels_file)
        labels = checked_labels(values, len(self), str(self.labels_file))
        return labels, numbered_classes(labels)

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield blocks of images."""
        count, height, width = self._shape
        rows = block_length(height * width, target)
        with _reading(self.images) as stream:
            _read_header(stream, self.images, dimensions=3)
            for start in range(0, count, rows):
                taken = min(rows, count - start)
                content = _read_exactly(stream, taken * height * width, self.images)
                block = np.frombuffer(content, dtype=np.uint8).reshape(taken, height, width, 1)
                yield fit_block(block, target)
            _expect_end(stream, self.images)


def find_idx(path: Path, source: str, split: str) -> IdxSource:
    """Find the images and labels of one split in a folder, or beside a named images file.

    Raises:
        DataError: There is nothing of that name, or no images, or several to choose from.
    """
    if existing(path, source).is_dir():
        images = _images_in(path, split)
    else:
        images = path
        single_split(split, str(path), "name the folder of the IDX files, or the test file itself")
    return IdxSource(images, _labels_beside(images))


def looks_like_idx(name: str) -> bool:
    """Say whether a file's name is one that IDX images usually have."""
    return re.search(r"(^|[-_.])images[-.]idx3[-.]ubyte(\.gz)?$", name) is not None


def _images_in(folder: Path, split: str) -> Path:
    named = [path for path in listed(folder) if looks_like_idx(path.name)]
    words = SPLIT_WORDS[split]
    # Sorting puts a plain file before its gzipped twin, so the plain one is kept.
    plain = {
        path.name.removesuffix(".gz"): path
        for path in reversed(named)
        if any(word in re.split(r"[-_.]", path.name) for word in words)
    }
    found = sorted(plain.values())
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise DataError(
            f"{folder} holds several {split} files ({names}); give the path of one of them"
        )
    raise DataError(
        f"{folder} holds no IDX images for {split!r}, such as {words[0]}-images-idx3-ubyte.gz; "
        "give the folder that holds them, or the path of the images file"
    )


def _labels_beside(images: Path) -> Path | None:
    """Find the labels file by its usual name: images → labels, idx3 → idx1, gzipped or not."""
    if not looks_like_idx(images.name):
        return None
    head, tail = images.name.removesuffix(".gz").rsplit("images", 1)
    for separator in (tail[0], "-", "."):
        name = f"{head}labels{separator}idx1{tail[5]}ubyte"
        for candidate in (images.with_name(name), images.with_name(f"{name}.gz")):
            if candidate.is_file():
                return candidate
    return None


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unzipping it if it is gzipped whatever its name, with failures as DataError."""
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if gzipped:
                with gzip.open(file) as stream:
                    yield cast(IO[bytes], stream)
            else:
                yield file
    except EOFError as error:
        raise DataError(f"{path} is truncated; download it again") from error
    except (OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); download it again") from error


def _read_header(stream: IO[bytes], path: Path, dimensions: int) -> tuple[int, ...]:
    """Read the magic number and the lengths of the dimensions that follow it."""
    magic = stream.read(4)
    expected = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if magic != expected:
        raise DataError(
            f"{path} does not begin as an IDX file of unsigned bytes in {dimensions} "
            f"dimension{'s' if dimensions > 1 else ''} does ({magic.hex()}, not {expected.hex()}); "
            "check that it is the right file"
        )
    return struct.unpack(f">{dimensions}I", _read_exactly(stream, 4 * dimensions, path))


def _read_exactly(stream: IO[bytes], size: int, path: Path) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise DataError(f"{path} is truncated: it ends before the images or labels that it names")
    return content


def _expect_end(stream: IO[bytes], path: Path) -> None:
    if stream.read(1):
        raise DataError(f"{path} goes on after the images or labels that it names: it is damaged")
