"""Two sets of images to translate between: apart (`unpaired:`), or pair by pair (`paired:`).

unpaired:DIR_A:DIR_B     two folders or archives, of any numbers of images
unpaired:DIR             with trainA, trainB, testA and testB, or with A and B
paired:DIR               images that hold both side by side, A left and B right
paired:DIR_A:DIR_B       two folders in which a pair has the same name
paired:DIR               with A and B, or trainA and trainB, in which a pair has the same name
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganzoo_core.data.changed import Changed
from ganzoo_core.data.folder import FolderSource, find_folder
from ganzoo_core.data.pixels import Bytes, PixelFormat, read_halves
from ganzoo_core.data.source import Broken, DataInfo, Labels, Source
from ganzoo_core.errors import DataError

PREFIXES = ("unpaired", "paired")


@dataclass(frozen=True)
class Apart:
    """Two sources that have nothing to do with each other but what is learned between them."""

    a: Source
    b: Source

    def look(self) -> DataInfo:
        """Return what the two have in common; the larger one's count is an epoch."""
        return _common(self.a.look(), self.b.look())


@dataclass(frozen=True)
class SideBySide:
    """Image files whose left half is of A and whose right half is of B."""

    folder: FolderSource

    @property
    def place(self) -> str:
        """The path of the folder or archive."""
        return self.folder.place

    def __len__(self) -> int:
        return len(self.folder)

    def look(self) -> DataInfo:
        """Return what can be said of each half without decoding."""
        whole = self.folder.look()
        size = None if whole.image_size is None else whole.image_size // 2
        return replace(whole, image_size=size, classes=0)

    def signature(self) -> list[object]:
        """Return the state of the files."""
        return ["side by side", *self.folder.signature()]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Pairs have no classes."""
        return None, ()

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield each pair as [1, size, size, 2 × channels], or as broken."""
        half = replace(target, channels=target.channels // 2)
        yield from self.folder.decode_by(lambda stream: read_halves(stream, half))


@dataclass(frozen=True)
class Matched:
    """Image files of two folders, those of the same name being a pair."""

    a: FolderSource
    b: FolderSource

    @property
    def place(self) -> str:
        """The paths of both."""
        return f"{self.a.place} and {self.b.place}"

    def __len__(self) -> int:
        return len(self.a)

    def look(self) -> DataInfo:
        """Return what the two have in common."""
        return replace(_common(self.a.look(), self.b.look()), classes=0)

    def signature(self) -> list[object]:
        """Return the state of the files."""
        return ["matched", self.a.signature(), self.b.signature()]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Pairs have no classes."""
        return None, ()

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield each pair as [1, size, size, 2 × channels], or as broken."""
        half = replace(target, channels=target.channels // 2)
        for first, second in zip(self.a.decode(half), self.b.decode(half), strict=True):
            broken = next((one for one in (first, second) if isinstance(one, Broken)), None)
            if broken is not None:
                yield broken
            else:
                yield np.concatenate([first, second], axis=-1)


Pairs = SideBySide | Matched | Changed


def find_domains(
    kind: str, rest: str, source: str, resolved: Callable[[str], Path], split: str
) -> Apart | SideBySide | Matched:
    """Find two sets of images.

    Args:
        kind: one of `PREFIXES`.
        rest: what follows it in `source`.
        source: all of it, for messages.
        resolved: brings a path below the data root.
        split: "train" or "test".

    Raises:
        DataError: there is nothing of that name, only one set, or pairs without a counterpart.
    """
    first, colon, second = rest.partition(":")
    if colon and not (first and second):
        raise DataError(f"{source!r} lacks a path; write {kind}:DIR_A:DIR_B")
    if colon:
        folders = [find_folder(resolved(path), source, split) for path in (first, second)]
    else:
        whole = resolved(first)
        folders = _within(whole, source, split)
        if not folders and kind == "paired":
            return SideBySide(find_folder(whole, source, split))
        if not folders:
            raise DataError(
                f"{whole} has no subfolders trainA and trainB, or A and B; name both sets, as in "
                "unpaired:DIR_A:DIR_B"
            )
    a, b = folders
    return Apart(a, b) if kind == "unpaired" else _matched(a, b)


def _within(whole: Path, source: str, split: str) -> list[FolderSource]:
    """Return the two sets that lie in one folder, or nothing where it has no such subfolders."""
    if not whole.is_dir():
        return []
    if all((whole / f"{split}{side}").is_dir() for side in "AB"):
        # Either is a split already, and has none of its own.
        return [find_folder(whole / f"{split}{side}", source, "train") for side in "AB"]
    if all((whole / side).is_dir() for side in "AB"):
        return [find_folder(whole / side, source, split) for side in "AB"]
    if (whole / "trainA").is_dir() and split == "test":
        raise DataError(f"{whole} has no testA and testB, so there is no 'test' in it")
    return []


def _matched(a: FolderSource, b: FolderSource) -> Matched:
    """Bring the files of two folders into one order."""
    names = [{str(name.with_suffix("")): name for name in each.names} for each in (a, b)]
    for each, its in zip((a, b), names, strict=True):
        if len(its) != len(each.names):
            raise DataError(
                f"{each.place} has files that differ only in their suffix, so that a pair is not "
                "clear; rename one of each"
            )
    shared = sorted(names[0].keys() & names[1].keys())
    lonely = sorted(names[0].keys() ^ names[1].keys())
    if not shared or lonely:
        where = a if lonely and lonely[0] in names[0] else b
        raise DataError(
            f"{len(lonely)} images of {a.place} and {b.place} have no counterpart of the same "
            f"name, the first being {lonely[0]} of {where.place}; name pairs alike, or train "
            "without pairs, as in unpaired:DIR_A:DIR_B"
        )
    return Matched(
        replace(a, names=tuple(names[0][name] for name in shared)),
        replace(b, names=tuple(names[1][name] for name in shared)),
    )


def _common(a: DataInfo, b: DataInfo) -> DataInfo:
    counts = [info.count for info in (a, b) if info.count is not None]
    return DataInfo(
        image_size=a.image_size if a.image_size == b.image_size else None,
        channels=max(a.channels, b.channels),
        classes=a.classes,
        count=max(counts) if counts else None,
    )
