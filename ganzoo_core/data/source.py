"""What every data source fulfils, and the checks that several of them share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.errors import DataError, nearest

Labels = np.ndarray[Any, np.dtype[np.int64]]

BLOCK_BYTES = 1 << 22
"""How many bytes of pixels are decoded at a time, so that memory does not grow with the data."""

MOST_CLASSES = 100_000
"""Class numbers from here on are taken for identifiers, not for classes."""


MOST_NAMED = 3
"""How many broken images an error names; all of them would not be a sentence."""


@dataclass(frozen=True)
class DataInfo:
    """A cheap look at a source before anything is decoded.

    `image_size` is the side that all images share (the larger one where they are not square) and
    None where sizes are mixed; `channels` is 1 if everything is greyscale, else 3; `classes` is 0
    without labels; `count` is None where it cannot be known without decoding; `clips` is the number
    of videos, and 0 where the data are single images.
    """

    image_size: int | None
    channels: int
    classes: int
    count: int | None
    clips: int = 0


@dataclass(frozen=True, eq=False)
class Factors:
    """What each image was made from, where that is known: shape, size, position and so on.

    `values` is int64 [N, F], the number of each factor's value from 0; `names` and `sizes` say what
    the F factors are called and how many values each has.
    """

    values: Labels
    names: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Broken:
    """An image that could not be decoded: where it is, and why."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class Source(Protocol):
    """One split of one data set: found and its header read, but not decoded."""

    @property
    def place(self) -> str:
        """Where the images are, for error messages."""

    def __len__(self) -> int:
        """Return the number of images, broken ones included."""

    def look(self) -> DataInfo:
        """Return what can be said without decoding."""

    def signature(self) -> list[object]:
        """Return JSON values that change when the content does, without reading the content."""

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the class of every image and the names of the classes, or (None, ())."""

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield, in order, blocks [B, size, size, channels] of images, and what is broken."""


@runtime_checkable
class FactoredSource(Source, Protocol):
    """A source that may know what its images were made from; none of them is ever broken."""

    def factors(self) -> Factors | None:
        """Return the factors of every image, or None."""


@runtime_checkable
class CaptionedSource(Source, Protocol):
    """A source that may know what its images show, in words."""

    def captions(self) -> tuple[str, ...] | None:
        """Return the caption of every image, empty where it has none; None without captions."""


def existing(path: Path, source: str) -> Path:
    """Return `path`, or raise a DataError that points to what is there instead."""
    if present(path):
        return path
    siblings = listed(path.parent) if present(path.parent) and path.parent.is_dir() else []
    close = nearest(path.name, [sibling.name for sibling in siblings])
    hint = (
        f"did you mean {' or '.join(repr(name) for name in close)}?"
        if close
        else "check the path, or give the folder that it is relative to as the data root"
    )
    raise DataError(f"{source!r}: there is no file or folder {path}; {hint}")


def present(path: Path) -> bool:
    """Say whether there is anything at `path`; what may not be looked at, or named, is not."""
    try:
        return path.exists()
    except OSError:
        return False


def listed(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted, or raise a DataError."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}") from error


def block_length(image_bytes: int, target: PixelFormat) -> int:
    """Return how many images to decode at a time, by the larger of what goes in and comes out."""
    decoded_bytes = target.image_size**2 * target.channels
    return max(1, BLOCK_BYTES // max(image_bytes, decoded_bytes))


def stat_signature(paths: Sequence[Path]) -> list[object]:
    """Return path, size and modification time of files, which stand for their content."""
    try:
        found = [(str(path.absolute()), path.stat()) for path in paths]
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
    return [[name, status.st_size, status.st_mtime_ns] for name, status in found]


def single_split(split: str, place: str, remedy: str) -> None:
    """Refuse any split but "train" for a source that has only one."""
    if split != "train":
        raise DataError(f"{place} has a single split, so there is no {split!r} in it; {remedy}")


def checked_labels(values: np.ndarray[Any, Any], count: int, place: str) -> Labels:
    """Return class numbers as int64 [count], or raise a DataError that says what is wrong."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise DataError(
            f"labels in {place} are {values.dtype} of shape {list(values.shape)}; "
            "give one whole class number for each image"
        )
    if len(values) != count:
        raise DataError(
            f"{place} holds {len(values)} labels for {count} images; they must be equally many"
        )
    if count and (values.min() < 0 or values.max() >= MOST_CLASSES):
        raise DataError(
            f"labels in {place} run from {values.min()} to {values.max()}; "
            f"number the classes from 0, with fewer than {MOST_CLASSES} of them"
        )
    return values.astype(np.int64)


def checked_factors(values: np.ndarray[Any, Any], count: int, place: str) -> Labels:
    """Return factors as int64 [count, F], or raise a DataError that says what is wrong."""
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "iu":
        raise DataError(
            f"factors in {place} are {values.dtype} of shape {list(values.shape)}; give one row of "
            "whole numbers for each image"
        )
    if len(values) != count:
        raise DataError(
            f"{place} holds factors of {len(values)} images and there are {count}; they must be "
            "equally many"
        )
    if values.min() < 0 or values.max() >= MOST_CLASSES:
        raise DataError(
            f"factors in {place} run from {values.min()} to {values.max()}; number the values of "
            f"each from 0, with fewer than {MOST_CLASSES} of them"
        )
    return values.astype(np.int64)


def numbered_classes(labels: Labels) -> tuple[str, ...]:
    """Name classes by their numbers, for labels that come without names."""
    return tuple(str(number) for number in range(int(labels.max()) + 1))


def check_broken(
    place: str, skipped: tuple[str, ...], seen: int, broken_share: float, what: str = "images"
) -> None:
    """Check that no more is broken than may be left out.

    Raises:
        DataError: more is, or all; the first few are named.
    """
    if skipped and (len(skipped) / seen > broken_share or len(skipped) == seen):
        named = "; ".join(skipped[:MOST_NAMED]) + ("; …" if len(skipped) > MOST_NAMED else "")
        remedy = "replace them"
        if len(skipped) < seen:
            enough = min(1.0, float(np.ceil(1000 * len(skipped) / seen)) / 1000)
            remedy += f", or leave them out with broken_share={enough:g}"
        raise DataError(
            f"{len(skipped)} of {seen} {what} in {place} are broken, more than the "
            f"{100 * broken_share:g} % allowed ({named}); {remedy}"
        )
