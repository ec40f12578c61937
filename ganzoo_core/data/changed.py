"""Images and a changed version of each: pairs whose truth is known, to learn a translation from.

outlined:SOURCE     the brightest neighbour of each pixel, less the pixel: bright around strokes
thickened:SOURCE    the brightest of each pixel and its neighbours: strokes two pixels wider
rotated:SOURCE      a quarter turn to the left
coloured:SOURCE     black becomes blue, white becomes yellow, and grey what lies between

SOURCE is any name of a single set, such as `digits` or `idx:mnist`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Broken, DataInfo, Labels, Source
from ganzoo_core.errors import DataError

DARK, LIGHT = (20, 40, 120), (250, 210, 60)
"""What black and white become, in red, green and blue."""


@dataclass(frozen=True)
class Changed:
    """A source as A, and each of its images changed as B."""

    source: Source
    change: str

    @property
    def place(self) -> str:
        """The change and the path of what is changed."""
        return f"{self.change} {self.source.place}"

    def __len__(self) -> int:
        return len(self.source)

    def look(self) -> DataInfo:
        """Return what the source says, in colour where the change colours."""
        info = self.source.look()
        return replace(info, channels=3) if self.change == "coloured" else info

    def signature(self) -> list[object]:
        """Return the change, and the state of what is changed."""
        return ["changed", self.change, *self.source.signature()]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the labels of the source: a changed image shows what it showed before."""
        return self.source.labels()

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield pairs [N, size, size, 2 × channels], or broken images.

        Raises:
            DataError: colours are asked for in greyscale.
        """
        half = replace(target, channels=target.channels // 2)
        if self.change == "coloured" and half.channels != 3:
            raise DataError(
                f"{self.place} is in colour, and one channel is asked for; train with "
                "--set channels=3"
            )
        for block in self.source.decode(half):
            if isinstance(block, Broken):
                yield block
            else:
                yield np.concatenate([block, CHANGES[self.change](block)], axis=-1)


def _outlined(images: Bytes) -> Bytes:
    outlines: Bytes = _brightest_around(images) - images
    return outlines


def _rotated(images: Bytes) -> Bytes:
    return np.rot90(images, axes=(1, 2))


def _coloured(images: Bytes) -> Bytes:
    share = images.astype(np.float32) / 255
    dark, light = (np.array(colour, np.float32) for colour in (DARK, LIGHT))
    return np.rint(dark + share * (light - dark)).astype(np.uint8)


def _brightest_around(images: Bytes) -> Bytes:
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    neighbours = [
        padded[:, down : down + images.shape[1], right : right + images.shape[2]]
        for down in range(3)
        for right in range(3)
    ]
    brightest: Bytes = np.maximum.reduce(neighbours)
    return brightest


CHANGES: Mapping[str, Callable[[Bytes], Bytes]] = {
    "outlined": _outlined,
    "thickened": _brightest_around,
    "rotated": _rotated,
    "coloured": _coloured,
}
"""What can be made of images [N, H, W, C] of 0 to 255, by its name."""
