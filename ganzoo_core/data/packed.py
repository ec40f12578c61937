"""Archives of black and white images, eight pixels a byte, of every combination of some factors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzoo_core.data.arrays import ArrayHeader, read_array, read_header, read_values, reading
from ganzoo_core.data.pixels import Bytes, PixelFormat, fit_block
from ganzoo_core.data.source import (
    Broken,
    DataInfo,
    Factors,
    Labels,
    block_length,
    stat_signature,
)
from ganzoo_core.errors import DataError

PACKED_KEY = "imgs_packed"
SIZES_KEY = "latents_sizes"

DSPRITES = ("color", "shape", "scale", "orientation", "posX", "posY")
"""The factors of dSprites in the order of its files, under the names that its authors gave them."""


@dataclass(frozen=True)
class PackedSource:
    """Images [N, side² / 8] of one bit a pixel.

    There is one for each combination of values of some factors, the last of which varies fastest;
    `latents_sizes` says how many values each has.
    """

    path: Path
    side: int
    sizes: tuple[int, ...]
    header: ArrayHeader

    @property
    def place(self) -> str:
        """The path of the archive and the key of the images."""
        return f"{self.path} ({PACKED_KEY!r})"

    def __len__(self) -> int:
        return self.header.shape[0]

    def look(self) -> DataInfo:
        """Return what the header says."""
        return DataInfo(self.side, 1, 0, len(self))

    def signature(self) -> list[object]:
        """Return the state of the archive."""
        return ["npz", PACKED_KEY, *stat_signature([self.path])]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return none: no factor is the class."""
        return None, ()

    def factors(self) -> Factors:
        """Return the combination of values that each image shows."""
        values = np.stack(np.unravel_index(np.arange(len(self)), self.sizes), 1)
        return Factors(values, factor_names(len(self.sizes)), self.sizes)

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield blocks of images of 0 and 255."""
        count, row = self.header.shape
        length = block_length(self.side**2, target)
        with reading(self.path) as archive, archive.open(f"{PACKED_KEY}.npy") as stream:
            read_header(stream, self.place)
            for start in range(0, count, length):
                shape = (min(length, count - start), row)
                packed = read_values(stream, shape, self.header, self.place)
                bits = np.unpackbits(packed, axis=1).reshape(-1, self.side, self.side, 1)
                yield fit_block(bits * np.uint8(255), target)


def find_packed(path: Path) -> PackedSource:
    """Read the headers of an archive of packed images.

    Raises:
        DataError: The arrays are not of that layout, or do not fit each other.
    """
    place = f"{path} ({PACKED_KEY!r})"
    with reading(path) as archive:
        if f"{SIZES_KEY}.npy" not in archive.namelist():
            raise DataError(
                f"{path} holds {PACKED_KEY!r} without {SIZES_KEY!r}, the number of values of each "
                "factor; store it as an array of whole numbers"
            )
        with archive.open(f"{PACKED_KEY}.npy") as stream:
            header = read_header(stream, place)
    side = math.isqrt(8 * header.shape[-1]) if len(header.shape) == 2 else 0
    if header.dtype != np.uint8 or header.fortran or not side or side**2 != 8 * header.shape[1]:
        raise DataError(
            f"{place} is {header.dtype} of shape {list(header.shape)}; packed images must be uint8 "
            "of shape [N, side² / 8], one row after the other"
        )
    sizes_place, sizes = read_array(path, SIZES_KEY)
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or not len(sizes) or (sizes < 1).any():
        raise DataError(
            f"{sizes_place} is {sizes.dtype} of shape {list(sizes.shape)}; give the number of "
            "values of each factor, from 1"
        )
    counts = tuple(int(size) for size in sizes)
    if math.prod(counts) != header.shape[0]:
        raise DataError(
            f"{place} holds {header.shape[0]} images, and there are {math.prod(counts)} "
            f"combinations of the factors in {SIZES_KEY!r}; there must be one image of each"
        )
    return PackedSource(path, side, counts, header)


def factor_names(count: int) -> tuple[str, ...]:
    """Name factors as dSprites does where there are as many, and by their numbers otherwise."""
    return DSPRITES if count == len(DSPRITES) else tuple(map(str, range(count)))
