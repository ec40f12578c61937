"""Batches out of memory-mapped images."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.components import Batch, mixed_seed
from ganzoo_core.data import ImageData
from ganzoo_core.data.order import indices
from ganzoo_core.errors import DataError
from ganzoo_core.training.processes import Processes


class ImageBatches:
    """An endless, shuffled stream of batches that depends on the seed and the position alone.

    Args:
        data: decoded images.
        batch_size: images of the joined batch.
        seed: of the order and of the flips.
        processes: each takes its own rows of the joined batch.
        flip: mirror each image left to right with probability one half.
        labelled: so many images, the first of each class in turn, come again as
            `Batch.labelled`, shuffled on their own; none where 0.

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
        flip: bool = False,
        labelled: int = 0,
    ) -> None:
        if batch_size > len(data):
            raise DataError(
                f"a batch of {batch_size} is larger than the {len(data)} images of {data.name}; "
                f"use --batch-size {len(data)} or less"
            )
        self.count = len(data)
        self._data = data
        self._batch_size = batch_size
        self._seed = seed
        self._processes = processes
        self._flip = flip
        self._labelled = _first_of_each_class(data, labelled) if labelled else None

    def draw(self, position: int) -> Batch:
        """Return this process's share of the joined batch that begins at image `position`."""
        share = self._batch_size // self._processes.count
        own = slice(self._processes.rank * share, (self._processes.rank + 1) * share)
        batch = self._batch(
            indices(self.count, self._batch_size, position, self._seed), own, position, 2
        )
        if self._labelled is None:
            return batch
        chosen = indices(len(self._labelled), self._batch_size, position, mixed_seed(self._seed, 3))
        return replace(batch, labelled=self._batch(self._labelled[chosen], own, position, 4))

    def _batch(
        self, joined: np.ndarray[Any, np.dtype[np.int64]], own: slice, position: int, purpose: int
    ) -> Batch:
        chosen = joined[own]
        pixels = self._data.images[chosen]
        if self._flip:
            generator = np.random.default_rng(mixed_seed(self._seed, purpose, position))
            mirrored = generator.random(self._batch_size)[own] < 0.5
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        labels = None
        if self._data.labels is not None:
            labels = self._moved(torch.from_numpy(self._data.labels[chosen]))
        # [N, H, W, C] seen as [N, C, H, W] is channels_last without a copy.
        images = self._moved(torch.from_numpy(pixels)).permute(0, 3, 1, 2)
        return Batch(images.to(torch.float32).div_(127.5).sub_(1), labels)

    def _moved(self, tensor: Tensor) -> Tensor:
        if self._processes.device.type == "cpu":
            return tensor
        if self._processes.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._processes.device, non_blocking=True)


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
