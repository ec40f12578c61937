"""Batches out of memory-mapped images."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.components import Batch, ClipShape, mixed_seed
from ganzoo_core.data import ImageData
from ganzoo_core.data.order import Indices, indices
from ganzoo_core.data.pixels import Bytes
from ganzoo_core.errors import DataError
from ganzoo_core.training.processes import Processes


class ImageBatches:
    """An endless, shuffled stream of batches that depends on the seed and the position alone.

    Args:
        data: decoded images.
        batch_size: images of the joined batch, the largest one where they differ.
        seed: of the order, of the flips and of the crops.
        processes: each takes its own rows of the joined batch.
        image_size: side of the batches' images; larger ones are cropped to it at random.
        flip: mirror each image left to right with probability one half.
        labelled: so many images, the first of each class in turn, come again as
            `Batch.labelled`, shuffled on their own; none where 0.
        captions: tokens of every image [count, text_length], int64, to come as `Batch.captions`.
        other: what `Batch.other` is to be, of data that have two sets: "paired" for the
            counterparts, flipped and cropped alike; "unpaired" for any, in an order of its own;
            "unlabelled" for any, without their labels.

    Raises:
        DataError: a batch would be larger than the data, or the images to come labelled are not
            there.
    """

    def __init__(
        self,
        data: ImageData,
        batch_size: int,
        seed: int,
        processes: Processes,
        *,
        image_size: int | None = None,
        flip: bool = False,
        labelled: int = 0,
        captions: Tensor | None = None,
        other: Literal["", "unpaired", "unlabelled", "paired"] = "",
    ) -> None:
        self._other = data.other if other else None
        if self._other is not None and other == "unlabelled":
            # Nothing downstream can learn from what it is not given.
            self._other = replace(self._other, labels=None, class_names=())
        self._paired = other == "paired"
        self.count = max(len(data), len(self._other) if self._other is not None else 0)
        smallest = min(len(data), len(self._other) if self._other is not None else len(data))
        if batch_size > smallest:
            raise DataError(
                f"a batch of {batch_size} is larger than the {smallest} images of "
                f"{_smaller(data)}; use --batch-size {smallest} or less"
            )
        self._data = data
        self._batch_size = batch_size
        self._seed = seed
        self._processes = processes
        self._image_size = image_size or data.image_size
        self._flip = flip
        self._captions = captions
        self._labelled = _first_of_each_class(data, labelled) if labelled else None

    def draw(self, position: int, size: int | None = None, shape: ClipShape | None = None) -> Batch:
        """Return this process's share of the joined batch that begins at image `position`.

        Args:
            position: images drawn before.
            size: images of the joined batch; `batch_size` unless given.
            shape: None, since images have no clips.
        """
        assert shape is None, "images have no clips"
        size = size or self._batch_size
        share = size // self._processes.count
        own = slice(self._processes.rank * share, (self._processes.rank + 1) * share)
        joined = indices(len(self._data), size, position, self._seed)
        joined_own = joined[own]
        batch = self._batch(self._data, joined, own, position, 2)
        if self._other is not None:
            if not self._paired:
                order = mixed_seed(self._seed, 5)
                joined = indices(len(self._other), size, position, order)
            # The same purpose draws the same flips and crops, so that pairs stay pairs.
            purpose = 2 if self._paired else 6
            batch = replace(batch, other=self._batch(self._other, joined, own, position, purpose))
        if self._captions is not None:
            its = self._captions[torch.from_numpy(joined_own)]
            batch = replace(batch, captions=self._moved(its))
        if self._labelled is not None:
            order = mixed_seed(self._seed, 3)
            chosen = indices(len(self._labelled), size, position, order)
            few = self._batch(self._data, self._labelled[chosen], own, position, 4)
            batch = replace(batch, labelled=few)
        return batch

    def _batch(
        self, data: ImageData, joined: Indices, own: slice, position: int, purpose: int
    ) -> Batch:
        chosen = joined[own]
        pixels = data.images[chosen]
        if self._flip or data.image_size > self._image_size:
            generator = np.random.default_rng(mixed_seed(self._seed, purpose, position))
            pixels = self._augmented(pixels, generator, own, len(joined))
        labels = None
        if data.labels is not None:
            labels = self._moved(torch.from_numpy(data.labels[chosen]))
        # [N, H, W, C] seen as [N, C, H, W] is channels_last without a copy.
        images = self._moved(torch.from_numpy(pixels)).permute(0, 3, 1, 2)
        return Batch(images.to(torch.float32).div_(127.5).sub_(1), labels)

    def _augmented(
        self, pixels: Bytes, generator: np.random.Generator, own: slice, count: int
    ) -> Bytes:
        """Flip and crop, by draws for the joined batch of which this process has its rows."""
        if self._flip:
            mirrored = generator.random(count)[own] < 0.5
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        margin = pixels.shape[1] - self._image_size
        if margin > 0:
            size = self._image_size
            corners = generator.integers(0, margin + 1, (count, 2))[own]
            pixels = np.stack(
                [
                    image[top : top + size, left : left + size]
                    for image, (top, left) in zip(pixels, corners, strict=True)
                ]
            )
        return pixels

    def _moved(self, tensor: Tensor) -> Tensor:
        if self._processes.device.type == "cpu":
            return tensor
        if self._processes.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._processes.device, non_blocking=True)


def _smaller(data: ImageData) -> str:
    """Name the set of two that has fewer images."""
    if data.other is None or data.paired:
        return data.name
    return f"the {'first' if len(data) < len(data.other) else 'second'} set of {data.name}"


def _first_of_each_class(data: ImageData, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the numbers of `count` images, as many of each class as can be: [count], int64."""
    if data.labels is None:
        raise DataError(f"{data.name} has no labels, and this training needs {count} of them")
    if count > len(data):
        raise DataError(
            f"{data.name} has {len(data)} images, and {count} are to come with their labels"
        )
    # How many of its own class come before each image: first all first ones, then all second ones.
    order = np.argsort(data.labels, kind="stable")
    sizes = np.bincount(data.labels)
    before = np.concatenate([np.arange(size) for size in sizes if size])
    return order[np.lexsort((data.labels[order], before))][:count]
