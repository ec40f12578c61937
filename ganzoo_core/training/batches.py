"""Batches out of memory-mapped images."""

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

    Raises:
        DataError: a batch would be larger than the data.
    """

    def __init__(
        self,
        data: ImageData,
        batch_size: int,
        seed: int,
        processes: Processes,
        *,
        flip: bool = False,
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

    def draw(self, position: int) -> Batch:
        """Return this process's share of the joined batch that begins at image `position`."""
        share = self._batch_size // self._processes.count
        own = slice(self._processes.rank * share, (self._processes.rank + 1) * share)
        chosen = indices(self.count, self._batch_size, position, self._seed)[own]
        pixels = self._data.images[chosen]
        if self._flip:
            generator = np.random.default_rng(mixed_seed(self._seed, 2, position))
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
