"""The real images' side of a comparison, computed once for a data set and features, then cached.

    evaluation/KEY.npz    KEY is made of the data's fingerprint, the features' hash and size, and
                          which of the images there are

Entries are written whole or not at all; one that cannot be read is made again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.data import ImageData, indices
from ganzoo_core.errors import RunError
from ganzoo_core.evaluation.features import Features
from ganzoo_core.evaluation.metrics.frechet import Moments
from ganzoo_core.files import whole_file
from ganzoo_core.places import cache_folder

LAYOUT = 1
"""Raised whenever the same images and features would give other numbers."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and how many there are."""


def real_moments(
    data: ImageData, features: Features, *, batch_size: int = 64, progress: Progress | None = None
) -> Moments:
    """Return mean and covariance of the features of all images of a data set."""
    entry = _entry(data, features, "moments", [])
    moments = Moments(features.size)
    shapes = {"count": (), "mean": (features.size,), "scatter": (features.size,) * 2}
    if stored := _load(entry, shapes):
        moments.count = int(stored["count"])
        moments.mean, moments.scatter = stored["mean"], stored["scatter"]
        return moments
    for embedded in _embedded(data, np.arange(len(data)), features, batch_size, progress):
        moments.add(embedded)
    _store(entry, count=np.int64(moments.count), mean=moments.mean, scatter=moments.scatter)
    return moments


def real_features(
    data: ImageData,
    features: Features,
    count: int,
    *,
    seed: int = 0,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Tensor:
    """Return the features [count, D] of images drawn without repetition; all, where fewer exist."""
    count = min(count, len(data))
    entry = _entry(data, features, "features", [count, seed])
    if stored := _load(entry, {"features": (count, features.size)}):
        return torch.from_numpy(stored["features"])
    chosen = indices(len(data), count, 0, seed)
    found = torch.cat(list(_embedded(data, chosen, features, batch_size, progress)))
    _store(entry, features=found.numpy())
    return found


def recognised(data: ImageData, features: Features, *, batch_size: int = 64) -> float:
    """Return the share of real images, 0 to 1, whose class the features name rightly.

    Judged by a thousand of them; 0 where the data have no labels or the features other classes.
    """
    if data.labels is None or features.classes != len(data.class_names):
        return 0.0
    right, judged = 0, indices(len(data), min(len(data), 1000), 0, 0)
    for start in range(0, len(judged), batch_size):
        batch = judged[start : start + batch_size]
        logits = features.embed(pixels_to_images(data.images[batch])).logits
        assert logits is not None
        right += int((logits.argmax(1).numpy() == data.labels[batch]).sum())
    return right / len(judged)


def pixels_to_images(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """Bring pixels [N, H, W, C] of 0 to 255 to images [N, C, H, W] in [-1, 1]."""
    return torch.tensor(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()


def images_to_pixels(images: Tensor) -> Tensor:
    """Bring images [N, C, H, W] in [-1, 1] to pixels of 0 to 255 in the same order, uint8."""
    return images.add(1).mul_(127.5).round_().byte()


def _embedded(
    data: ImageData,
    chosen: np.ndarray[Any, np.dtype[np.int64]],
    features: Features,
    batch_size: int,
    progress: Progress | None,
) -> Iterator[Tensor]:
    for start in range(0, len(chosen), batch_size):
        batch = chosen[start : start + batch_size]
        yield features.embed(pixels_to_images(data.images[batch])).features
        if progress:
            progress(f"features of {data.name}", start + len(batch), len(chosen))


def _entry(data: ImageData, features: Features, kind: str, which: list[int]) -> Path:
    described = [
        *(LAYOUT, kind, which, data.fingerprint),
        *(features.hash, features.image_size, features.resize_filter),
    ]
    key = hashlib.sha256(json.dumps(described).encode()).hexdigest()
    return Path(cache_folder()) / "evaluation" / f"{key}.npz"


def _load(
    entry: Path, shapes: dict[str, tuple[int, ...]]
) -> dict[str, np.ndarray[Any, Any]] | None:
    """Read an entry's arrays, or return None if it is missing or not as it was written."""
    try:
        with entry.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name] for name in shapes}
    except Exception:  # a damaged archive fails in many ways
        return None
    return found if all(found[name].shape == shape for name, shape in shapes.items()) else None


def _store(entry: Path, **arrays: Any) -> None:
    try:
        with whole_file(entry) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    except RunError as error:
        raise RunError(
            f"{error}; set GANZOO_CACHE to a folder that can be written and has room"
        ) from error
