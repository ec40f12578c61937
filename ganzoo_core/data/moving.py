"""Digits that bounce in a square, made as they are asked for (Srivastava et al. 2015).

moving-mnist:PATH      two digits, one red and one green as Denton and Birodkar 2017 have them
moving-mnist:PATH:1    one grey digit

PATH is that of MNIST's IDX files, or of any others. Clip i shows digits, places and speeds that
follow from `SEED`, the split and i alone, so that clips are the same everywhere and need no room.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganzoo_core.data.idx import find_idx
from ganzoo_core.data.order import Indices
from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import DataInfo, Labels
from ganzoo_core.errors import DataError

SEED = 0
"""Of all clips."""
DRAWING = 1
"""Raised whenever the same seed gives other clips, so that no run goes on with them unawares; a
test knows what this version draws."""
LENGTH = 100
"""Frames of a clip."""
SIDE, DIGIT = 64, 32
"""Pixels of a frame and of a digit in it; at another size all is scaled."""
FASTEST = 4
"""Pixels a frame, along either axis."""
PLACES = 8
"""Steps in which a place is told apart, along either axis."""


@dataclass(frozen=True)
class MovingSource:
    """The digits that are to move, of one split; there are as many clips as digits."""

    path: Path
    source: str
    split: str
    digits: int

    @property
    def place(self) -> str:
        """The path of the digits."""
        return str(self.path)

    def __len__(self) -> int:
        return len(find_idx(self.path, self.source, self.split))

    def look(self) -> DataInfo:
        """Return what the clips will be."""
        return DataInfo(SIDE, 1 if self.digits == 1 else 3, 0, None, clips=len(self))


class _Paths(NamedTuple):
    """How the digits of a clip move: [digits], [digits, 2] pixels, [digits, 2] pixels a frame."""

    chosen: Labels
    starts: "np.ndarray[Any, np.dtype[np.int64]]"
    speeds: "np.ndarray[Any, np.dtype[np.int64]]"
    front: int


@dataclass(frozen=True, eq=False)
class MovingDigits:
    """Clips of moving digits, drawn when they are asked for."""

    name: str
    shapes: Bytes
    """[digits to choose from, side, side], scaled to the frame."""
    classes: Labels | None
    image_size: int
    channels: int
    digits: int
    seed: int
    fingerprint: str
    skipped: tuple[str, ...] = ()

    @property
    def lengths(self) -> Labels:
        """How many frames each clip has: int64 [clips]."""
        return np.full(len(self), LENGTH, dtype=np.int64)

    @property
    def labels(self) -> None:
        """A clip has no class of its own."""
        return

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Which digit, where the labels are there, and its place, for each of the digits."""
        known = ("digit", "x", "y") if self.classes is not None else ("x", "y")
        if self.digits == 1:
            return known
        return tuple(f"{name}-{k + 1}" for k in range(self.digits) for name in known)

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """How many values each factor has."""
        places = (PLACES, PLACES)
        if self.classes is None:
            return places * self.digits
        return (int(self.classes.max()) + 1, *places) * self.digits

    def __len__(self) -> int:
        return len(self.shapes)

    def frames(self, clips: Indices, times: Indices) -> Bytes:
        """Return frames uint8 [N, T, H, W, C] of clips [N] at times [N, T]."""
        count, steps = times.shape
        side = self.shapes.shape[1]
        planes = max(self.channels, self.digits)
        made = np.zeros((count, steps, self.image_size, self.image_size, planes), np.uint8)
        for row, clip in enumerate(clips):
            paths = self._paths(int(clip))
            places = self._places(paths, times[row])
            # The digit in front comes last, so that it hides what is behind it.
            for digit in sorted(range(self.digits), key=lambda k: k == paths.front):
                shape = self.shapes[paths.chosen[digit]]
                for step, (x, y) in enumerate(places[:, digit]):
                    window = made[row, step, y : y + side, x : x + side]
                    window[shape > 0] = 0
                    window[..., digit] = np.maximum(window[..., digit], shape)
        return made.max(-1, keepdims=True) if self.channels == 1 else made

    def factors(self, clips: Indices, times: Indices) -> Labels:
        """Return which digits these frames show and where: int64 [N, T, F]."""
        rows = []
        room = self.image_size - self.shapes.shape[1] + 1
        for row, clip in enumerate(clips):
            paths = self._paths(int(clip))
            columns = []
            places = self._places(paths, times[row]) * PLACES // room
            for digit in range(self.digits):
                if self.classes is not None:
                    its = self.classes[paths.chosen[digit]]
                    columns.append(np.full(times.shape[1], its, dtype=np.int64))
                columns += [places[:, digit, 0], places[:, digit, 1]]
            rows.append(np.stack(columns, 1))
        return np.stack(rows).astype(np.int64)

    def _places(self, paths: _Paths, times: Indices) -> Labels:
        """Return the upper left corners [T, digits, 2], as x and y in pixels of the frame."""
        room = SIDE - DIGIT
        # Unfolded, a bouncing path is straight: it goes there and back, over and over.
        straight = (paths.starts + paths.speeds * times[:, None, None]) % (2 * room)
        bounced = room - np.abs(straight - room)
        places: Labels = bounced * (self.image_size - self.shapes.shape[1]) // room
        return places

    def _paths(self, clip: int) -> _Paths:
        from ganzoo_core.components import mixed_seed

        return _paths(mixed_seed(self.seed, clip), self.digits, len(self.shapes))


@lru_cache(maxsize=1024)
def _paths(seed: int, digits: int, shapes: int) -> _Paths:
    # numpy promises the raw stream of PCG64 for ever, and no more than that.
    raw = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(5 * digits + 1)
    drawn = raw[:-1].reshape(digits, 5)
    return _Paths(
        (drawn[:, 0] % shapes).astype(np.int64),
        (drawn[:, 1:3] % (SIDE - DIGIT + 1)).astype(np.int64),
        (drawn[:, 3:5] % (2 * FASTEST + 1)).astype(np.int64) - FASTEST,
        int(raw[-1] % digits),
    )


def find_moving(path: Path, digits: str, source: str, split: str) -> MovingSource:
    """Find the digits that are to move.

    Raises:
        DataError: there are no IDX files, or neither one nor two digits are asked for.
    """
    if digits not in ("", "1", "2"):
        raise DataError(f"{source!r} asks for {digits} digits; write moving-mnist:PATH:1 or :2")
    find_idx(path, source, split)
    return MovingSource(path, source, split, int(digits or 2))


def open_moving(
    found: MovingSource,
    name: str,
    target: PixelFormat,
    progress: Callable[[int, int], None] | None,
) -> MovingDigits:
    """Decode the digits into the cache, as large as they are in a frame."""
    from ganzoo_core.components import mixed_seed
    from ganzoo_core.data.images import open_images

    side = target.image_size * DIGIT // SIDE
    if side < 1:
        raise DataError(f"{name!r}: frames of {target.image_size} pixel are too small for digits")
    digits = open_images(
        f"idx:{found.path.absolute()}",
        image_size=side,
        channels=1,
        split=found.split if found.path.is_dir() else "train",
        resize_filter=target.resize_filter,
        progress=progress,
    )
    seed = mixed_seed(SEED, ("train", "test").index(found.split))
    about = [digits.fingerprint, found.digits, seed, LENGTH, target.image_size, target.channels]
    # The first version did not say so, and its runs go on.
    about += [DRAWING] * (DRAWING > 1)
    fingerprint = hashlib.sha256(" ".join(map(str, about)).encode()).hexdigest()
    return MovingDigits(
        name,
        digits.images[..., 0],
        digits.labels,
        target.image_size,
        target.channels,
        found.digits,
        seed,
        f"sha256:{fingerprint}",
    )
