"""Videos as memory-mapped frames: which clip each frame belongs to, and what it shows.

Frames lie in the cache as images do. That a frame is number `frame` of clip `clip` is kept as two
factors before all others, so that the cache needs no layout of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ganzoo_core.data import cache
from ganzoo_core.data.order import Indices
from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Broken, DataInfo, Factors, Labels, check_broken
from ganzoo_core.errors import DataError

CLIP, FRAME = "clip", "frame"
"""The factors that say which clip a frame is of, and the how many-th of it."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Piece:
    """Consecutive frames of one clip; the pieces of a clip follow one another."""

    clip: int
    """Which clip, in the order in which they come: 0, 1, …"""
    frames: Bytes
    """[T, size, size, channels]"""
    label: int | None
    factors: "np.ndarray[Any, np.dtype[np.int64]]"
    """[T, F]"""


@runtime_checkable
class ClipSource(Protocol):
    """One split of a data set of videos: found and its headers read, but not decoded."""

    @property
    def place(self) -> str:
        """Where the videos are, for error messages."""

    def __len__(self) -> int:
        """Return the number of pieces, broken ones included."""

    def look(self) -> DataInfo:
        """Return what can be said without decoding."""

    def signature(self) -> list[object]:
        """Return JSON values that change when the content does, without reading the content."""

    def described(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
        """Return the names of the classes, and the factors' names and numbers of values."""

    def pieces(self, target: PixelFormat) -> Iterator[Piece | Broken]:
        """Yield, in order, the pieces of all clips, and what is broken."""


class ClipData(Protocol):
    """Decoded videos, of which any frames can be had."""

    @property
    def name(self) -> str:
        """What `--data` was."""

    @property
    def fingerprint(self) -> str:
        """Depends on the frames and on what is known of them alone."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """The broken videos that were left out, each as "path: reason"."""

    @property
    def image_size(self) -> int:
        """The side of every frame, in pixels."""

    @property
    def channels(self) -> int:
        """1 for greyscale, 3 for RGB."""

    @property
    def lengths(self) -> Labels:
        """How many frames each clip has: int64 [clips]."""

    @property
    def labels(self) -> Labels | None:
        """The class of each clip, int64 [clips], or None."""

    @property
    def factor_names(self) -> tuple[str, ...]:
        """What is known of the frames: who is shown, which action, where."""

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """How many values each factor has."""

    def __len__(self) -> int:
        """Return the number of clips."""

    def frames(self, clips: Indices, times: Indices) -> Bytes:
        """Return frames uint8 [N, T, H, W, C] of clips [N] at times [N, T]."""

    def factors(self, clips: Indices, times: Indices) -> Labels:
        """Return what these frames show: int64 [N, T, F], values numbered from 0."""


@dataclass(frozen=True, eq=False)
class StoredClips:
    """Clips whose frames lie one after the other in the cache."""

    name: str
    stored: cache.Stored
    fingerprint: str
    skipped: tuple[str, ...]

    @property
    def image_size(self) -> int:
        """The side of every frame, in pixels."""
        return int(self.stored.images.shape[1])

    @property
    def channels(self) -> int:
        """1 for greyscale, 3 for RGB."""
        return int(self.stored.images.shape[3])

    @cached_property
    def lengths(self) -> Labels:
        """How many frames each clip has: int64 [clips]."""
        return np.bincount(self._known.values[:, 0]).astype(np.int64)

    @property
    def labels(self) -> Labels | None:
        """The class of each clip, int64 [clips], or None."""
        return None if self.stored.labels is None else self.stored.labels[self._starts]

    @property
    def factor_names(self) -> tuple[str, ...]:
        """What is known of the frames beside their clip and time."""
        return self._known.names[2:]

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """How many values each factor has."""
        return self._known.sizes[2:]

    def __len__(self) -> int:
        return len(self.lengths)

    def frames(self, clips: Indices, times: Indices) -> Bytes:
        """Return frames uint8 [N, T, H, W, C] of clips [N] at times [N, T]."""
        frames: Bytes = self.stored.images[self._starts[clips][:, None] + times]
        return frames

    def factors(self, clips: Indices, times: Indices) -> Labels:
        """Return what these frames show: int64 [N, T, F]."""
        return np.asarray(self._known.values[self._starts[clips][:, None] + times, 2:])

    @cached_property
    def _starts(self) -> Labels:
        return np.cumsum(self.lengths) - self.lengths

    @property
    def _known(self) -> Factors:
        assert self.stored.factors is not None
        return self.stored.factors


def open_stored(
    found: ClipSource,
    name: str,
    target: PixelFormat,
    broken_share: float,
    progress: Progress | None,
) -> StoredClips:
    """Decode videos once into the cache, and map their frames from there."""
    folder = cache.data_folder()
    key = cache.signature_key(found.signature(), target)
    decoding = cache.recall(folder, key)
    stored = cache.load(folder, decoding.fingerprint, target) if decoding else None
    if decoding is None or stored is None:
        decoding, stored = _decode(found, target, folder, broken_share, progress)
        cache.remember(folder, key, decoding)
    check_broken(found.place, decoding.skipped, decoding.seen, broken_share, "videos")
    return StoredClips(name, stored, decoding.fingerprint, decoding.skipped)


def _decode(
    found: ClipSource,
    target: PixelFormat,
    folder: Path,
    broken_share: float,
    progress: Progress | None,
) -> tuple[cache.Decoding, cache.Stored]:
    skipped: list[str] = []
    labels: list[Labels] = []
    rows: list[Labels] = []
    lengths: dict[int, int] = {}
    class_names, names, sizes = found.described()
    # How many frames there are is known in the end: a disk that fills up on the way says so then.
    with cache.EntryWriter(folder, target, len(found)) as writer:
        for number, item in enumerate(found.pieces(target)):
            if isinstance(item, Broken):
                skipped.append(str(item))
            else:
                writer.add(item.frames)
                count, before = len(item.frames), lengths.get(item.clip, 0)
                lengths[item.clip] = before + count
                # Numbered anew, since a clip may have been left out.
                clip = np.full(count, list(lengths).index(item.clip))
                times = np.arange(before, before + count)
                rows.append(np.column_stack([clip, times, item.factors]).astype(np.int64))
                labels.append(np.full(count, item.label or 0, dtype=np.int64))
            if progress is not None:
                progress(number + 1, len(found))
        check_broken(found.place, tuple(skipped), len(found), broken_share, "videos")
        factors = Factors(
            np.concatenate(rows),
            (CLIP, FRAME, *names),
            (len(lengths), max(lengths.values()), *sizes),
        )
        labelled = np.concatenate(labels) if class_names else None
        fingerprint, stored = writer.commit(labelled, class_names, factors)
    return cache.Decoding(fingerprint, len(found), tuple(skipped)), stored


def check_lengths(data: ClipData, frames: int, who: str) -> None:
    """Check that every clip has as many frames as somebody needs.

    Raises:
        DataError: some are shorter.
    """
    short = data.lengths < frames
    if short.any():
        raise DataError(
            f"{who} needs clips of {frames} frames, and {int(short.sum())} of the {len(data)} of "
            f"{data.name} are shorter, the shortest having {int(data.lengths.min())}; ask for "
            "fewer frames, or take longer clips"
        )


def numbered(values: Sequence[str]) -> tuple[Labels, int]:
    """Number the different values of a column, in the order of numbers or else of the alphabet."""
    every = sorted(
        set(values), key=lambda v: (not v.isdecimal(), int(v) if v.isdecimal() else 0, v)
    )
    numbers = {value: number for number, value in enumerate(every)}
    return np.array([numbers[value] for value in values], dtype=np.int64), len(every)
