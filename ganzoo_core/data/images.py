"""Looking at a data source, and opening it as memory-mapped images."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganzoo_core.data import cache
from ganzoo_core.data.domains import Apart, Pairs
from ganzoo_core.data.pixels import RESIZE_FILTERS, Bytes, PixelFormat
from ganzoo_core.data.source import (
    Broken,
    CaptionedSource,
    DataInfo,
    FactoredSource,
    Labels,
    Source,
)
from ganzoo_core.data.sources import find_source
from ganzoo_core.errors import ConfigError, DataError, UnknownNameError

MOST_NAMED = 3
"""How many broken images an error names; all of them would not be a sentence."""


@dataclass(frozen=True, eq=False)
class ImageData:
    """Decoded images, memory-mapped.

    `images` is uint8 [N, H, W, C], read-only, with H = W and C = 1 or 3; `labels` is int64 [N] or
    None, and `class_names` is empty without them. `fingerprint` depends on pixels, labels, class
    names, factors and captions alone, so that the same images at the same size have it wherever
    they lie.
    `skipped` names the broken images that were left out, each as "path: reason".

    Where there are two sets to translate between, `other` is the second one, and `paired` says
    whether its image i is the counterpart of this one's.

    Where it is known what each image was made from, `factors` is int64 [N, F], read-only, each
    factor's values numbered from 0; `factor_names` and `factor_sizes` (numbers of values) have F
    entries. Elsewhere it is None and they are empty.

    Where images have captions, `captions` has one for each, empty where an image has none.
    """

    name: str
    images: Bytes
    labels: Labels | None
    class_names: tuple[str, ...]
    fingerprint: str
    skipped: tuple[str, ...]
    factors: Labels | None = None
    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    captions: tuple[str, ...] | None = None
    other: "ImageData | None" = None
    paired: bool = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_size(self) -> int:
        """The side of every image, in pixels."""
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        """1 for greyscale, 3 for RGB."""
        return int(self.images.shape[3])


def inspect(source: str, *, root: Path | None = None, split: str = "train") -> DataInfo:
    """Look at a source without decoding it.

    Args:
        source: What `--data` takes; see `SOURCES`.
        root: The folder that relative paths are resolved against, and that Hub data are kept in.
        split: "train" or "test".

    Raises:
        UnknownNameError: Nothing answers to the name or split.
        DataError: What it names is missing, empty, damaged, or not what its prefix says.
        HubError: A data set of the Hub cannot be had.
    """
    return find_source(source, root, split).look()


def open_images(
    source: str,
    *,
    image_size: int,
    channels: int,
    root: Path | None = None,
    split: str = "train",
    resize_filter: str = "lanczos",
    broken_share: float = 0.01,
    progress: Callable[[int, int], None] | None = None,
) -> ImageData:
    """Decode a source once into the cache, and map it from there.

    The shorter side of an image is resized to `image_size` and the longer one cropped about its
    centre; an image of that size is left as it is. Transparency is laid on white.

    Args:
        source: What `--data` takes; see `SOURCES`.
        image_size: The side of the decoded images, in pixels.
        channels: 1 for greyscale, 3 for RGB.
        root: The folder that relative paths are resolved against, and that Hub data are kept in.
        split: "train" or "test".
        resize_filter: "lanczos", "bicubic", "bilinear" or "box", each antialiased.
        broken_share: The largest share of the images, 0 to 1, that may be broken and left out.
        progress: Called while decoding with the number of images done and of all.

    Raises:
        ConfigError: A size, number of channels or share that there cannot be.
        UnknownNameError: Nothing answers to the name, split or filter.
        DataError: What it names is missing, empty, damaged or too broken, or the cache cannot be
            written.
        HubError: A data set of the Hub cannot be had.
    """
    target = _checked_format(image_size, channels, resize_filter)
    if not 0 <= broken_share <= 1:
        raise ConfigError(f"broken_share is {broken_share}; it is a share, from 0 to 1")
    found = find_source(source, root, split)
    if isinstance(found, Apart):
        a, b = (_opened(one, source, target, broken_share, progress) for one in (found.a, found.b))
        return replace(
            a,
            fingerprint=_joined_fingerprint("unpaired", a.fingerprint, b.fingerprint),
            skipped=a.skipped + b.skipped,
            other=b,
        )
    if isinstance(found, Pairs):
        both = replace(target, channels=2 * channels)
        data = _opened(found, source, both, broken_share, progress)
        fingerprint = _joined_fingerprint("paired", data.fingerprint)
        b = replace(data, images=data.images[..., channels:])
        return replace(
            data,
            images=data.images[..., :channels],
            fingerprint=fingerprint,
            other=b,
            paired=True,
        )
    return _opened(found, source, target, broken_share, progress)


def _opened(
    found: Source,
    name: str,
    target: PixelFormat,
    broken_share: float,
    progress: Callable[[int, int], None] | None,
) -> ImageData:
    folder = cache.data_folder()
    key = cache.signature_key(found.signature(), target)
    decoding = cache.recall(folder, key)
    stored = cache.load(folder, decoding.fingerprint, target) if decoding else None
    if decoding is None or stored is None:
        decoding, stored = _decode(found, target, folder, broken_share, progress)
        cache.remember(folder, key, decoding)
    _check_broken(found, decoding.skipped, decoding.seen, broken_share)
    factors = stored.factors
    return ImageData(
        name,
        stored.images,
        stored.labels,
        stored.class_names,
        decoding.fingerprint,
        decoding.skipped,
        *((factors.values, factors.names, factors.sizes) if factors else (None, (), ())),
        captions=stored.captions,
    )


def _joined_fingerprint(*parts: str) -> str:
    return "sha256:" + hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _checked_format(image_size: int, channels: int, resize_filter: str) -> PixelFormat:
    if image_size < 1:
        raise ConfigError(f"image_size is {image_size}; it must be at least 1 pixel")
    if channels not in (1, 3):
        raise ConfigError(f"channels is {channels}; images are decoded to 1 (grey) or 3 (RGB)")
    if resize_filter not in RESIZE_FILTERS:
        raise UnknownNameError("resize filter", resize_filter, RESIZE_FILTERS)
    return PixelFormat(image_size, channels, resize_filter)


def _decode(
    found: Source,
    target: PixelFormat,
    folder: Path,
    broken_share: float,
    progress: Callable[[int, int], None] | None,
) -> tuple[cache.Decoding, cache.Stored]:
    """Decode everything into a new entry of the cache, a block at a time."""
    labels, class_names = found.labels()
    factors = found.factors() if isinstance(found, FactoredSource) else None
    captions = found.captions() if isinstance(found, CaptionedSource) else None
    seen = len(found)
    skipped: dict[int, str] = {}
    done = 0
    with cache.EntryWriter(folder, target, seen) as writer:
        for item in found.decode(target):
            if isinstance(item, Broken):
                skipped[done] = str(item)
                done += 1
            else:
                writer.add(item)
                done += len(item)
            if progress is not None:
                progress(done, seen)
        _check_broken(found, tuple(skipped.values()), seen, broken_share)
        if labels is not None:
            labels = np.delete(labels, list(skipped))
        if captions is not None:
            captions = tuple(text for n, text in enumerate(captions) if n not in skipped)
        fingerprint, stored = writer.commit(labels, class_names, factors, captions)
    return cache.Decoding(fingerprint, seen, tuple(skipped.values())), stored


def _check_broken(found: Source, skipped: tuple[str, ...], seen: int, broken_share: float) -> None:
    if skipped and (len(skipped) / seen > broken_share or len(skipped) == seen):
        named = "; ".join(skipped[:MOST_NAMED]) + ("; …" if len(skipped) > MOST_NAMED else "")
        remedy = "replace them"
        if len(skipped) < seen:
            enough = min(1.0, float(np.ceil(1000 * len(skipped) / seen)) / 1000)
            remedy += f", or leave them out with broken_share={enough:g}"
        raise DataError(
            f"{len(skipped)} of {seen} images in {found.place} are broken, more than the "
            f"{100 * broken_share:g} % allowed ({named}); {remedy}"
        )
