"""Batches of clips out of memory-mapped videos."""

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.components import Batch, ClipShape, Trainer, learning_stages, mixed_seed
from ganzoo_core.data.clips import ClipData, check_lengths
from ganzoo_core.data.order import Indices, indices
from ganzoo_core.data.pixels import Bytes
from ganzoo_core.errors import DataError
from ganzoo_core.training.processes import Processes


class ClipBatches:
    """An endless, shuffled stream of clips that depends on the seed and the position alone.

    Each clip is seen once an epoch, at frames that are drawn anew each time.

    Args:
        data: decoded videos.
        batch_size: clips of the joined batch.
        seed: of the order, of the frames and of the mirroring.
        processes: each takes its own rows of the joined batch.
        flip: mirror each clip left to right with probability one half.

    Raises:
        DataError: a batch would be larger than the data.
    """

    def __init__(
        self,
        data: ClipData,
        batch_size: int,
        seed: int,
        processes: Processes,
        *,
        flip: bool = False,
    ) -> None:
        self.count = len(data)
        if batch_size > self.count:
            raise DataError(
                f"a batch of {batch_size} is larger than the {self.count} clips of {data.name}; "
                f"use --batch-size {self.count} or less"
            )
        self._data = data
        self._lengths = data.lengths
        self._labels = data.labels
        self._batch_size = batch_size
        self._seed = seed
        self._processes = processes
        self._flip = flip

    def draw(self, position: int, size: int | None = None, shape: ClipShape | None = None) -> Batch:
        """Return this process's share of the joined batch that begins at clip `position`.

        Args:
            position: clips drawn before.
            size: clips of the joined batch; `batch_size` unless given.
            shape: what a stage wants of each clip; one frame where None.
        """
        shape = shape or ClipShape(1)
        size = size or self._batch_size
        share = size // self._processes.count
        own = slice(self._processes.rank * share, (self._processes.rank + 1) * share)
        joined = indices(self.count, size, position, self._seed)
        generator = np.random.default_rng(mixed_seed(self._seed, 8, position))
        times = self._times(joined, shape, generator)[own]
        chosen = joined[own]
        pixels = self._data.frames(chosen, times)
        if self._flip:
            mirrored = generator.random(size)[own] < 0.5
            pixels[mirrored] = pixels[mirrored, :, :, ::-1]
        clips = self._floats(pixels)
        labels = None
        if self._labels is not None:
            labels = self._moved(torch.from_numpy(self._labels[chosen]))
        return Batch(clips[:, 0], labels, clips=clips)

    def _times(self, joined: Indices, shape: ClipShape, generator: np.random.Generator) -> Indices:
        """Draw which frames of each clip are shown: [batch size, frames], in the order of time."""
        lengths = self._lengths[joined]
        spans = np.minimum(shape.span or shape.frames, lengths)
        starts = (generator.random(len(joined)) * (lengths - spans + 1)).astype(np.int64)
        if shape.span <= shape.frames:
            return starts[:, None] + np.arange(shape.frames)
        # The smallest of random numbers within a span are at places each as likely as another.
        keys = generator.random((len(joined), int(spans.max())))
        keys[np.arange(keys.shape[1]) >= spans[:, None]] = 2.0
        order = np.argsort(keys, axis=1, kind="stable")[:, : shape.frames]
        return starts[:, None] + np.sort(order, axis=1)

    def _floats(self, pixels: Bytes) -> Tensor:
        # [N, T, H, W, C] seen as [N, T, C, H, W] keeps each frame in channels_last.
        clips = self._moved(torch.from_numpy(pixels)).permute(0, 1, 4, 2, 3)
        return clips.to(torch.float32).div_(127.5).sub_(1)

    def _moved(self, tensor: Tensor) -> Tensor:
        if self._processes.device.type == "cpu":
            return tensor
        if self._processes.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._processes.device, non_blocking=True)


def wants_clips(trainer: Trainer) -> bool:
    """Say whether a trainer learns from videos."""
    return any(stage.clips for stage in learning_stages(trainer))


def check_clips(trainer: Trainer, data: ClipData, variant: str) -> None:
    """Check that videos are as long as a trainer needs.

    Raises:
        DataError: some are too short.
    """
    for stage in learning_stages(trainer):
        if stage.clips:
            check_lengths(data, stage.clips.frames, f"the stage {stage.name!r} of {variant}")
