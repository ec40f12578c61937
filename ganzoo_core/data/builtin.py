"""The digits that come with scikit-learn: 1,797 real images of 8×8, no network needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat, fit_block
from ganzoo_core.data.source import Broken, DataInfo, Labels, numbered_classes

COUNT = 1797


@dataclass(frozen=True)
class DigitsSource:
    """scikit-learn's handwritten digits, with their 17 grey levels spread over 0 to 255."""

    place: str = "digits"

    def __len__(self) -> int:
        return COUNT

    def look(self) -> DataInfo:
        """Return what is known without loading scikit-learn."""
        return DataInfo(image_size=8, channels=1, classes=10, count=COUNT)

    def signature(self) -> list[object]:
        """Return the version of the package that the digits are part of."""
        return ["digits", version("scikit-learn")]

    def labels(self) -> tuple[Labels, tuple[str, ...]]:
        """Return which digit every image shows."""
        labels = _load()[1]
        return labels, numbered_classes(labels)

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield all digits in one block."""
        yield fit_block(_load()[0], target)


@cache
def _load() -> tuple[Bytes, Labels]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    grey = np.rint(images * (255 / 16)).astype(np.uint8)
    return grey.reshape(-1, 8, 8, 1), labels.astype(np.int64)
