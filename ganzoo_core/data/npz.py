"""NumPy archives: arrays of images, their labels and factors where there are any, by name."""

import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ganzoo_core.data.arrays import (
    Array,
    ArrayHeader,
    read_array,
    read_header,
    read_values,
    reading,
)
from ganzoo_core.data.clips import Piece
from ganzoo_core.data.packed import PACKED_KEY, factor_names, find_packed
from ganzoo_core.data.pixels import Bytes, PixelFormat, fit_block
from ganzoo_core.data.source import (
    BLOCK_BYTES,
    Broken,
    DataInfo,
    Factors,
    Labels,
    Source,
    block_length,
    checked_factors,
    checked_labels,
    existing,
    numbered_classes,
    single_split,
    stat_signature,
)
from ganzoo_core.errors import DataError

CLIPS_KEY = "clips"
IMAGE_KEYS = ("images", "x", "data", "imgs", CLIPS_KEY)
LABEL_KEYS = ("labels", "label", "y")
FACTOR_KEYS = ("latents_classes",)
CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class NpzSource:
    """Images under one key of an archive: [N, H, W], [N, H, W, C] or [N, C, H, W]."""

    path: Path
    images_key: str
    labels_key: str | None
    factors_key: str | None
    header: ArrayHeader

    @property
    def place(self) -> str:
        """The path of the archive and the key of the images."""
        return f"{self.path} ({self.images_key!r})"

    def __len__(self) -> int:
        return self.header.shape[0]

    def look(self) -> DataInfo:
        """Return what the array's header says, and the number of classes from the labels."""
        _, height, width, channels = _channels_last_shape(self.header.shape)
        classes = len(self.labels()[1])
        return DataInfo(max(height, width), 1 if channels == 1 else 3, classes, len(self))

    def signature(self) -> list[object]:
        """Return the state of the archive and the keys."""
        factors = [self.factors_key] if self.factors_key else []
        return ["npz", self.images_key, self.labels_key, *factors, *stat_signature([self.path])]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the labels, and their numbers as names, or (None, ())."""
        if self.labels_key is None:
            return None, ()
        place, values = read_array(self.path, self.labels_key)
        labels = checked_labels(values, len(self), place)
        return labels, numbered_classes(labels)

    def factors(self) -> Factors | None:
        """Return the factors, with as many values each as are there, or None."""
        if self.factors_key is None:
            return None
        place, values = read_array(self.path, self.factors_key)
        values = checked_factors(values, len(self), place)
        sizes = tuple(int(largest) + 1 for largest in values.max(0))
        return Factors(values, factor_names(len(sizes)), sizes)

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield blocks of images, with float values and 0/1 masks spread over 0 to 255."""
        to_bytes = self._to_bytes()
        for block in self._blocks(block_length(self._image_bytes, target)):
            yield fit_block(np.ascontiguousarray(_channels_last(to_bytes(block))), target)

    @property
    def _image_bytes(self) -> int:
        return math.prod(self.header.shape[1:]) * self.header.dtype.itemsize

    def _blocks(self, rows: int) -> Iterator[Array]:
        count, *image_shape = self.header.shape
        # An array stored by columns has no image whole before its end, so it is read at once.
        rows = count if self.header.fortran else rows
        with reading(self.path) as archive, archive.open(f"{self.images_key}.npy") as stream:
            read_header(stream, self.place)
            for start in range(0, count, rows):
                shape = (min(rows, count - start), *image_shape)
                yield read_values(stream, shape, self.header, self.place)

    def _to_bytes(self) -> Callable[[Array], Array]:
        """Decide from the range of all values how they become bytes."""
        rows = max(1, BLOCK_BYTES // self._image_bytes)
        if self.header.dtype.kind == "f":
            extremes = np.array([(block.min(), block.max()) for block in self._blocks(rows)])
            low, high = extremes[:, 0].min(), extremes[:, 1].max()  # numpy's, which keep a NaN
            if low >= 0 and high <= 1:
                return lambda block: _rounded(block.astype(np.float32) * 255)
            if low >= -1 and high <= 1:
                return lambda block: _rounded(block.astype(np.float32) * 127.5 + 127.5)
            raise DataError(
                f"{self.place} holds {self.header.dtype} from {low:g} to {high:g}; float images "
                "must lie in 0 to 1 or in -1 to 1, so rescale them"
            )
        if any(block.max() > 1 for block in self._blocks(rows)):
            return lambda block: block
        # A mask of 0 and 1 would otherwise be all but black.
        return lambda block: block.astype(np.uint8) * np.uint8(255)


@dataclass(frozen=True)
class NpzClips:
    """Clips under one key of an archive: [N, T, H, W] (as `clips`) or [N, T, H, W, C].

    Factors are [N, F], what is so throughout a clip, or [N, T, F].
    """

    flat: NpzSource
    """The frames of all clips, one after the other."""
    length: int
    labels_key: str | None
    factors_key: str | None

    @property
    def place(self) -> str:
        """The path of the archive and the key of the clips."""
        return self.flat.place

    def __len__(self) -> int:
        return len(self.flat) // self.length

    def look(self) -> DataInfo:
        """Return what the array's header says."""
        return replace(self.flat.look(), classes=len(self.described()[0]), clips=len(self))

    def signature(self) -> list[object]:
        """Return the state of the archive and the keys."""
        keys = [self.labels_key or "", self.factors_key or ""]
        return ["npz clips", self.length, *keys, *self.flat.signature()]

    def described(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
        """Return the labels' numbers as names of classes, and names and sizes of the factors."""
        labels, factors = self._labels, self._factors
        names = numbered_classes(labels) if labels is not None else ()
        sizes = tuple(int(largest) + 1 for largest in factors.max(0))
        return names, factor_names(len(sizes)) if sizes else (), sizes

    def pieces(self, target: PixelFormat) -> Iterator[Piece | Broken]:
        """Yield each clip."""
        labels, factors = self._labels, self._factors
        left = np.empty((0, target.image_size, target.image_size, target.channels), dtype=np.uint8)
        clip = 0
        for block in self.flat.decode(target):
            assert not isinstance(block, Broken)
            left = np.concatenate([left, block])
            while len(left) >= self.length:
                frames, left = left[: self.length], left[self.length :]
                rows = factors[clip * self.length : (clip + 1) * self.length]
                yield Piece(clip, frames, None if labels is None else int(labels[clip]), rows)
                clip += 1

    @cached_property
    def _labels(self) -> Labels | None:
        if self.labels_key is None:
            return None
        place, values = read_array(self.flat.path, self.labels_key)
        return checked_labels(values, len(self), place)

    @cached_property
    def _factors(self) -> Labels:
        """[N × T, F], the same throughout a clip where the archive has them by clips."""
        frames = len(self.flat)
        if self.factors_key is None:
            return np.empty((frames, 0), dtype=np.int64)
        place, values = read_array(self.flat.path, self.factors_key)
        if values.ndim == 3 and values.shape[:2] == (len(self), self.length):
            return checked_factors(values.reshape(frames, -1), frames, place)
        return np.repeat(checked_factors(values, len(self), place), self.length, axis=0)


def find_npz(path: Path, source: str, split: str) -> Source | NpzClips:
    """Find the images or clips of one split in an archive, by the names of its arrays.

    Names that carry the split (`x_train`, `test_images`) come before plain ones (`images`), and
    where no name is known, the first array of three to five dimensions is taken. An archive with
    `imgs_packed` is one of packed images; see `PackedSource`. An array of five dimensions is one of
    clips, and so is one of four under a name that begins with `clips`.

    Raises:
        DataError: There is no such archive, or no array in it that can be read as images.
    """
    if existing(path, source).is_dir():
        raise DataError(f"{source!r}: {path} is a folder, not an .npz file; name the file in it")
    with reading(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if PACKED_KEY in keys:
            single_split(split, str(path), "take the train split of packed images")
            return find_packed(path)
        images_key, labels_key, factors_key = _choose_keys(archive, keys, path, split)
        place = f"{path} ({images_key!r})"
        with archive.open(f"{images_key}.npy") as stream:
            header = read_header(stream, place)
    readable = header.dtype in (np.uint8, np.bool_) or header.dtype.kind == "f"
    if not readable or len(header.shape) not in (3, 4, 5):
        raise DataError(
            f"{place} is {header.dtype} of shape {list(header.shape)}; images must be uint8 "
            "or float of shape [N, H, W], [N, H, W, C] or [N, C, H, W], and clips [N, T, H, W, C]"
        )
    if 0 in header.shape:
        raise DataError(f"{place} is empty: its shape is {list(header.shape)}")
    if _holds_clips(images_key, header.shape):
        return _clips(path, (images_key, labels_key, factors_key), header, place)
    if _channels_last_shape(header.shape)[3] not in CHANNELS:
        raise DataError(
            f"{place} has shape {list(header.shape)}, in which neither the last nor the second "
            "dimension is a number of channels (1, 3 or 4)"
        )
    return NpzSource(path, images_key, labels_key, factors_key, header)


def _holds_clips(key: str, shape: tuple[int, ...]) -> bool:
    # Only a name tells a grey video from an image of several channels.
    return len(shape) == 5 or (len(shape) == 4 and key.lower().startswith(CLIPS_KEY))


def _clips(
    path: Path, keys: tuple[str, str | None, str | None], header: ArrayHeader, place: str
) -> NpzClips:
    count, length, *frame = header.shape
    if len(frame) == 3 and frame[2] not in CHANNELS:
        raise DataError(
            f"{place} has shape {list(header.shape)}, whose last dimension is no number of "
            "channels (1, 3 or 4); store clips as [N, T, H, W, C]"
        )
    if length < 2:
        raise DataError(f"{place} has clips of a single frame, and a single frame is no video")
    if header.fortran:
        raise DataError(
            f"{place} is stored by columns; write it again with numpy.ascontiguousarray"
        )
    images_key, labels_key, factors_key = keys
    flat = replace(header, shape=(count * length, *frame))
    source = NpzSource(path, images_key, None, None, flat)
    return NpzClips(source, length, labels_key, factors_key)


def _choose_keys(
    archive: zipfile.ZipFile, keys: list[str], path: Path, split: str
) -> tuple[str, str | None, str | None]:
    by_lower = {key.lower(): key for key in reversed(keys)}

    def first(names: tuple[str, ...], style: str) -> str | None:
        known = (by_lower.get(style.format(name)) for name in names)
        return next((key for key in known if key is not None), None)

    for style in (f"{{}}_{split}", f"{split}_{{}}"):
        if images := first(IMAGE_KEYS, style):
            return images, first(LABEL_KEYS, style), first(FACTOR_KEYS, style)
    one_split = f"name its arrays images_train and images_{split}"
    if images := first(IMAGE_KEYS, "{}"):
        single_split(split, str(path), one_split)
        return images, first(LABEL_KEYS, "{}"), first(FACTOR_KEYS, "{}")
    for key in keys:
        with archive.open(f"{key}.npy") as stream:
            dimensions = len(read_header(stream, f"{path} ({key!r})").shape)
        if dimensions in (3, 4, 5):
            single_split(split, str(path), one_split)
            return key, first(LABEL_KEYS, "{}"), first(FACTOR_KEYS, "{}")
    raise DataError(
        f"{path} holds no images for {split!r} (its arrays: {', '.join(keys) or 'none'}); store "
        "them under 'images' and their classes under 'labels'"
    )


def _rounded(values: Array) -> Bytes:
    return np.rint(values).astype(np.uint8)


def _channels_last_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    if len(shape) == 3:
        return shape[0], shape[1], shape[2], 1
    if shape[3] not in CHANNELS and shape[1] in CHANNELS:
        return shape[0], shape[2], shape[3], shape[1]
    return shape[0], shape[1], shape[2], shape[3]


def _channels_last(block: Array) -> Array:
    if block.ndim == 3:
        return block[..., None]
    if block.shape[3] not in CHANNELS:
        return block.transpose(0, 2, 3, 1)
    return block
