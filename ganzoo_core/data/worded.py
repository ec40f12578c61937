"""Captions made of classes, for models that draw what a text says."""

from collections.abc import Iterator
from dataclasses import dataclass

from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Broken, DataInfo, Labels, Source
from ganzoo_core.errors import DataError
from ganzoo_core.text import captions_of_classes


@dataclass(frozen=True)
class WordedSource:
    """Another source, each image of which is described by a sentence that names its class."""

    source: Source
    sentences: tuple[str, ...]
    """The images take turns with them; `{}` is where the class's name stands."""

    @property
    def place(self) -> str:
        """Where the images are."""
        return self.source.place

    def __len__(self) -> int:
        return len(self.source)

    def look(self) -> DataInfo:
        """Return what the source says."""
        return self.source.look()

    def signature(self) -> list[object]:
        """Return the sentences, and the state of the source."""
        return ["worded", list(self.sentences), *self.source.signature()]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the classes of the source."""
        return self.source.labels()

    def captions(self) -> tuple[str, ...]:
        """Return the caption of every image.

        Raises:
            DataError: the images have no classes.
        """
        labels, names = self.source.labels()
        if labels is None:
            raise DataError(
                f"{self.place} has no classes, which worded: makes captions of; leave worded: out"
            )
        return captions_of_classes(labels.tolist(), names, self.sentences)

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield the source's images."""
        return self.source.decode(target)
