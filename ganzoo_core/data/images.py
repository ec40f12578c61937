"""Looking at a data source, and opening it as memory-mapped images."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganzoo_core.data import cache
from ganzoo_core.data.clips import ClipData, StoredClips, open_stored
from ganzoo_core.data.domains import Apart, Pairs
from ganzoo_core.data.moving import MovingSource, open_moving
from ganzoo_core.data.npz import NpzClips
from ganzoo_core.data.pixels import RESIZE_FILTERS, Bytes, PixelFormat
from ganzoo_core.data.source import (
    Broken,
    CaptionedSource,
    DataInfo,
    FactoredSource,
    Labels,
    Source,
    check_broken,
)
from ganzoo_core.data.sources import find_source
from ganzoo_core.data.video import VideoSource
from ganzoo_core.errors import ConfigError, DataError, UnknownNameError


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
    if isinstance(found, MovingSource):
        raise DataError(
            f"{source!r} makes videos and no single images; take the digits, as in "
            f"idx:{source.split(':')[1]}, or a variant that learns from videos"
        )
    if isinstance(found, VideoSource | NpzClips):
        return _frames(open_stored(found, source, target, broken_share, progress))
    return _opened(found, source, target, broken_share, progress)


def open_clips(
    source: str,
    *,
    image_size: int,
    channels: int,
    root: Path | None = None,
    split: str = "train",
    resize_filter: str = "lanczos",
    broken_share: float = 0.01,
    progress: Callable[[int, int], None] | None = None,
) -> ClipData:
    """Decode videos once into the cache, and map their frames from there.

    The arguments are those of `open_images`, and frames are brought to size as images are.

    Raises:
        ConfigError: A size, number of channels or share that there cannot be.
        UnknownNameError: Nothing answers to the name, split or filter.
        DataError: What it names is missing, no video, damaged or too broken, or the cache cannot
            be written.
        UnsupportedError: There are movies, and PyAV is not installed.
    """
    target = _checked_format(image_size, channels, resize_filter)
    if not 0 <= broken_share <= 1:
        raise ConfigError(f"broken_share is {broken_share}; it is a share, from 0 to 1")
    found = find_source(source, root, split)
    if isinstance(found, MovingSource):
        return open_moving(found, source, target, progress)
    if isinstance(found, VideoSource | NpzClips):
        return open_stored(found, source, target, broken_share, progress)
    raise DataError(
        f"{source!r} is of single images, and videos are needed; take --data video:PATH, npz:FILE "
        "with clips [N, T, H, W, C], or moving-mnist:PATH"
    )


def _frames(clips: StoredClips) -> ImageData:
    """Return the frames of all clips as images."""
    known = clips.stored.factors
    factors = None if known is None or len(known.names) < 3 else known.values[:, 2:]
    return ImageData(
        clips.name,
        clips.stored.images,
        clips.stored.labels,
        clips.stored.class_names,
        clips.fingerprint,
        clips.skipped,
        factors,
        clips.factor_names,
        clips.factor_sizes,
    )


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
    check_broken(found.place, decoding.skipped, decoding.seen, broken_share)
    factors = stored.factors
    return ImageData(
        name,
        stored.images,
        stored.labels,
        stored.class_names,
        decoding.fingerprint,
        decoding.skipped,
        factors=factors.values if factors else None,
        factor_names=factors.names if factors else (),
        factor_sizes=factors.sizes if factors else (),
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
        check_broken(found.place, tuple(skipped.values()), seen, broken_share)
        if labels is not None:
            labels = np.delete(labels, list(skipped))
        if captions is not None:
            captions = tuple(text for n, text in enumerate(captions) if n not in skipped)
        fingerprint, stored = writer.commit(labels, class_names, factors, captions)
    return cache.Decoding(fingerprint, seen, tuple(skipped.values())), stored
