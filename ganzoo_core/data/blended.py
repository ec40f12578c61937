"""Digits blended with pieces of other images, as MNIST-M is made (Ganin et al. 2016, section 5.2).

A pixel of the result is |digit - piece| in each channel. Which piece of which image a digit gets
follows from the seed, the split and the digit's number alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat, fit_block
from ganzoo_core.data.source import Broken, DataInfo, Labels, Source
from ganzoo_core.errors import DataError

MOST_TEXTURES = 4096
"""Textures that are held in memory; of more, the first ones serve."""
LARGER = 4
"""How many times larger than the digits textures of mixed sizes are decoded."""
KEPT_FOR_TESTS = 5
"""Every fifth texture is for the test digits alone, where textures have no test set."""

Draws = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class BlendedSource:
    """Each digit over a random piece of a random texture, in colour."""

    digits: Source
    textures: Source
    seed: int
    split: str
    textures_split: bool
    """Whether the textures are those of the split already."""

    @property
    def place(self) -> str:
        """Where digits and textures are."""
        return f"{self.digits.place} over {self.textures.place}"

    def __len__(self) -> int:
        return len(self.digits)

    def look(self) -> DataInfo:
        """Return what is known of the digits, in colour."""
        return replace(self.digits.look(), channels=3)

    def signature(self) -> list[object]:
        """Return the state of both, and the draw."""
        states = [self.digits.signature(), self.textures.signature()]
        return ["blended", self.seed, self.split, self.textures_split, *states]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the digits' classes."""
        return self.digits.labels()

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield digits over textures."""
        colour = replace(target, channels=3)
        textures = self._textures(colour)
        margins = np.array(textures.shape[1:3], dtype=np.uint64) - np.uint64(target.image_size - 1)
        draws = self._draws()
        picked = (draws[:, 0] % np.uint64(len(textures))).astype(np.int64)
        corners = (draws[:, 1:] % margins).astype(np.int64)
        done = 0
        for item in self.digits.decode(colour):
            if isinstance(item, Broken):
                done += 1
                yield item
                continue
            size = target.image_size
            pieces = np.stack(
                [
                    textures[texture, top : top + size, left : left + size]
                    for texture, (top, left) in zip(
                        picked[done : done + len(item)],
                        corners[done : done + len(item)],
                        strict=True,
                    )
                ]
            )
            done += len(item)
            apart = np.abs(item.astype(np.int16) - pieces).astype(np.uint8)
            yield fit_block(apart, target)

    def _draws(self) -> Draws:
        # The raw stream is the same under any version of numpy, its draws from a range are not.
        stream = np.random.PCG64(np.random.SeedSequence((self.seed, int(self.split == "test"))))
        return stream.random_raw(3 * len(self)).reshape(-1, 3)

    def _textures(self, target: PixelFormat) -> Bytes:
        """Return the textures of this split: uint8 [N, side, side, 3], no smaller than digits."""
        native = self.textures.look().image_size
        side = max(target.image_size, native or LARGER * target.image_size)
        found: list[Bytes] = []
        for item in self.textures.decode(replace(target, image_size=side)):
            if not isinstance(item, Broken):
                found.append(item)
            if sum(map(len, found)) >= MOST_TEXTURES:
                break
        if not found:
            raise DataError(f"{self.textures.place} has no image to blend digits with")
        textures = np.concatenate(found)[:MOST_TEXTURES]
        if self.textures_split:
            return textures
        for_tests = np.arange(len(textures)) % KEPT_FOR_TESTS == KEPT_FOR_TESTS - 1
        own = textures[for_tests == (self.split == "test")]
        # Too few to be parted: both take all of them.
        return own if len(own) else textures
