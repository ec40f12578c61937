"""Some images of a training set, as protocols with few of them take them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ganzoo_core.data.order import Indices, indices
from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Broken, CaptionedSource, DataInfo, Labels, Source
from ganzoo_core.errors import DataError


@dataclass(frozen=True)
class DrawnSource:
    """`count` images of another source, drawn without repetition by `seed`, in its order."""

    whole: Source
    count: int
    seed: int

    @property
    def place(self) -> str:
        """Where the images are, and how many of them are taken."""
        return f"{self.count} images of {self.whole.place}"

    def __len__(self) -> int:
        return self.count

    def look(self) -> DataInfo:
        """Return what is known of the whole, with the number that is taken."""
        info = self.whole.look()
        if info.count is not None:
            self._check(info.count)
        return replace(info, count=self.count)

    def signature(self) -> list[object]:
        """Return the state of the whole, and the draw."""
        return ["some", self.count, self.seed, *self.whole.signature()]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the classes of those that are taken, under the names that the whole has."""
        labels, names = self.whole.labels()
        return (None, ()) if labels is None else (labels[self._chosen], names)

    def captions(self) -> tuple[str, ...] | None:
        """Return the captions of those that are taken, where the whole has any."""
        texts = self.whole.captions() if isinstance(self.whole, CaptionedSource) else None
        return None if texts is None else tuple(texts[number] for number in self._chosen.tolist())

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield those that are taken."""
        taken = np.zeros(len(self.whole), dtype=bool)
        taken[self._chosen] = True
        done = 0
        for item in self.whole.decode(target):
            length = 1 if isinstance(item, Broken) else len(item)
            own = taken[done : done + length]
            done += length
            if isinstance(item, Broken):
                if own[0]:
                    yield item
            elif own.any():
                yield item[own]

    @cached_property
    def _chosen(self) -> Indices:
        self._check(len(self.whole))
        return np.sort(indices(len(self.whole), self.count, 0, self.seed))

    def _check(self, there: int) -> None:
        if self.count > there:
            raise DataError(
                f"{self.whole.place} has {there} images, and {self.count} are to be drawn; take "
                f"some:{there} or fewer"
            )
