"""Image data sets of the Hugging Face Hub, through the `datasets` library."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo_core.data.captions import CAPTION_COLUMNS, tidy
from ganzoo_core.data.pixels import BrokenImageError, Bytes, PixelFormat, read_header, read_image
from ganzoo_core.data.source import Broken, DataInfo, Labels, stat_signature
from ganzoo_core.errors import DataError, HubError

HEADERS_LOOKED_AT = 256
"""How many images are opened to guess the size and channels of all."""


@dataclass(frozen=True)
class HubSource:
    """One split of a data set `ORG/NAME`, loaded when it is first needed.

    `known` answers `look` without a network for the data sets that have a short name here.
    """

    repository: str
    split: str
    folder: Path | None
    known: DataInfo | None = None

    @property
    def place(self) -> str:
        """The data set and its split."""
        return f"{self.repository} ({self.split})"

    def __len__(self) -> int:
        return len(self._data)

    def look(self) -> DataInfo:
        """Return the known facts, or what the first images' headers have in common."""
        if self.known is not None:
            return self.known
        headers = []
        first = self._data.select(range(min(len(self), HEADERS_LOOKED_AT)))
        for row in first.select_columns([self._image_column]):
            try:
                headers.append(read_header(_stream(row[self._image_column])))
            except BrokenImageError:
                continue  # decoding counts and names it
        if not headers:
            raise DataError(f"{self.place}: none of the first images can be read")
        sizes = {header.size for header in headers}
        return DataInfo(
            image_size=max(sizes.pop()) if len(sizes) == 1 else None,
            channels=1 if all(header.grey for header in headers) else 3,
            classes=len(self.labels()[1]),
            count=len(self),
        )

    def signature(self) -> list[object]:
        """Return the state of the files into which `datasets` has put the rows."""
        files = [Path(file["filename"]) for file in self._data.cache_files]
        captions = [self._caption_column] if self._caption_column else []
        return ["hub", self.repository, self.split, *captions, *stat_signature(files)]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the first ClassLabel column and its names, or (None, ()).

        Labels that a data set keeps back are -1 or missing in it; it counts as unlabelled.
        """
        column = _column_of(self._data, "ClassLabel")
        if column is None:
            return None, ()
        values = np.asarray(self._data.with_format("numpy")[column][:])
        if values.dtype.kind != "i" or values.min() < 0:  # numpy has no integer for a missing one
            return None, ()
        return values.astype(np.int64), tuple(self._data.features[column].names)

    def captions(self) -> tuple[str, ...] | None:
        """Return the first column of texts that is called as captions are, or None."""
        column = self._caption_column
        if column is None:
            return None
        return tuple(tidy(text) if isinstance(text, str) else "" for text in self._data[column])

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield every row as a block of one image, or as broken."""
        column = self._image_column
        for number, row in enumerate(self._data.select_columns([column])):
            try:
                yield read_image(_stream(row[column]), target)[None]
            except BrokenImageError as error:
                yield Broken(f"{self.place}, row {number}", str(error))

    @cached_property
    def _data(self) -> Any:
        from datasets import Image

        data = _load(self.repository, self.folder)
        if self.split not in data:
            raise DataError(f"{self.repository} has no split {self.split!r} but {', '.join(data)}")
        chosen = data[self.split]
        column = _column_of(chosen, "Image")
        if column is None:
            features = ", ".join(chosen.features)
            raise DataError(f"{self.repository} has no column of images (its columns: {features})")
        if len(chosen) == 0:
            raise DataError(f"{self.place} is empty")
        # Undecoded, so that a broken image is found by the same code as in a folder.
        return chosen.cast_column(column, Image(decode=False))

    @cached_property
    def _image_column(self) -> str:
        return str(_column_of(self._data, "Image"))

    @cached_property
    def _caption_column(self) -> str | None:
        features = self._data.features
        texts = {name for name, kind in features.items() if getattr(kind, "dtype", "") == "string"}
        return next((name for name in CAPTION_COLUMNS if name in texts), None)


def _column_of(data: Any, feature: str) -> str | None:
    names = (name for name, kind in data.features.items() if type(kind).__name__ == feature)
    return next(names, None)


def _stream(image: dict[str, Any] | None) -> BytesIO:
    """Open the bytes of an undecoded image, which lie in the row or in a file that it names."""
    try:
        content = image and (image["bytes"] or Path(image["path"]).read_bytes())
    except OSError as error:
        raise BrokenImageError(error.strerror or str(error)) from error
    if not content:
        raise BrokenImageError("the row holds no image")
    return BytesIO(content)


def _load(repository: str, folder: Path | None) -> Any:
    """Download a data set, or find it in the cache, with every failure as one sentence."""
    import datasets

    instead = (
        "name files on disk instead, as in idx:PATH or folder:PATH, or use 'digits', "
        "which needs no network"
    )
    try:
        return datasets.load_dataset(repository, cache_dir=str(folder) if folder else None)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise HubError(
            f"the Hub shows no data set {repository!r} (a wrong name, or one that needs "
            f"`hf auth login`); {instead}"
        ) from error
    except (ConnectionError, TimeoutError) as error:
        raise HubError(
            f"data set {repository!r} is not on this machine and the Hub cannot be reached; "
            f"{instead}"
        ) from error
    except Exception as error:  # whatever a stranger's files make `datasets` raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise HubError(f"data set {repository!r} cannot be read ({reason}); {instead}") from error
