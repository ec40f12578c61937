"""MNIST-M as it is passed on: PNG files in one folder or archive a split, their classes beside.

The class is in a file `mnist_m_train_labels.txt` of lines `00000000.png 5`, or at the end of each
file's name, as in `00000_5.png`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganzoo_core.data.folder import FolderSource, find_folder
from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Broken, DataInfo, Labels, existing, listed, stat_signature
from ganzoo_core.errors import DataError

CLASSES = tuple(map(str, range(10)))


@dataclass(frozen=True)
class MnistMSource:
    """The files of one split, and the digit that each shows."""

    files: FolderSource
    numbers: tuple[int, ...]
    listing: Path | None

    @property
    def place(self) -> str:
        """The folder or archive."""
        return self.files.place

    def __len__(self) -> int:
        return len(self.files)

    def look(self) -> DataInfo:
        """Return what the files' headers say, and that there are ten digits."""
        return replace(self.files.look(), classes=len(CLASSES))

    def signature(self) -> list[object]:
        """Return the state of the files, and of the list of their classes."""
        listing = stat_signature([self.listing]) if self.listing else []
        return ["mnist-m", *self.files.signature(), *listing]

    def labels(self) -> tuple[Labels, tuple[str, ...]]:
        """Return the digit of every image."""
        return np.array(self.numbers, dtype=np.int64), CLASSES

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield every file."""
        yield from self.files.decode(target)


def find_mnist_m(path: Path, source: str, split: str) -> MnistMSource:
    """Find one split of MNIST-M in the folder that holds both.

    Raises:
        DataError: there is no such folder, no such split in it, or an image without a class.
    """
    if not existing(path, source).is_dir():
        raise DataError(f"{source!r}: {path} is a file; name the folder that both splits lie in")
    holders = [
        entry
        for entry in listed(path)
        if split in entry.name.lower() and (entry.is_dir() or entry.suffix.lower() == ".zip")
    ]
    if not holders:
        raise DataError(
            f"{path} has no folder or .zip for {split!r}; MNIST-M has mnist_m_train and "
            "mnist_m_test in it"
        )
    found = find_folder(holders[0], source, "train")
    files = replace(found, classes=())
    listing = path / f"mnist_m_{split}_labels.txt"
    if listing.is_file():
        return MnistMSource(files, _listed_classes(listing, files), listing)
    return MnistMSource(files, _named_classes(files), None)


def _named_classes(files: FolderSource) -> tuple[int, ...]:
    numbers = []
    for name in files.names:
        match = re.fullmatch(r".*_(\d)", name.stem)
        if match is None:
            raise DataError(
                f"{files.path}/{name} does not end in its class, as 00000_5.png does; put a list "
                f"of the classes beside {files.path.name}"
            )
        numbers.append(int(match[1]))
    return tuple(numbers)


def _listed_classes(listing: Path, files: FolderSource) -> tuple[int, ...]:
    try:
        lines = listing.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{listing} cannot be read ({error}); get it again") from None
    classes = dict(line.split() for line in lines if len(line.split()) == 2)
    numbers = []
    for name in files.names:
        number = classes.get(name.name, "")
        if number not in CLASSES:
            raise DataError(f"{listing} does not say which digit {name.name} shows; get it again")
        numbers.append(int(number))
    return tuple(numbers)
