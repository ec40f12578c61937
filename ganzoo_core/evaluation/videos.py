"""Measuring a model on videos: what its codes know, and how far its frames are from the truth."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.components import mixed_seed
from ganzoo_core.data import ClipData, indices
from ganzoo_core.data.clips import check_lengths
from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import Estimate
from ganzoo_core.evaluation.metrics.probes import chance, halves, linear_probe, same_group
from ganzoo_core.evaluation.metrics.similarity import squared_errors
from ganzoo_core.evaluation.real import Progress
from ganzoo_core.model import Model

Numbers = np.ndarray[Any, np.dtype[np.int64]]

SPACES = ("content", "pose")
MOST_CLIPS, MOST_FRAMES = 1000, 6000
"""The most clips and frames whose codes are probed: classifiers of more learn no better."""
LEAST_FRAMES = 8
"""Of each clip, where it has so many."""
PAST, FUTURE = 5, 50
"""Frames that are given and the most that are predicted."""
STEPS = (1, 5, 10, 20, 50)
"""Frames ahead at which errors are shown."""
PREDICTED = 256
"""The most clips that are predicted."""
TOGETHER = 32
"""Clips whose noise has one seed, whatever the batch size."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of frames, and what the frames show."""

    by_space: dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]
    """[N, D] for content and for pose."""
    clips: Numbers
    """[N], which clip each frame is of."""
    factors: Numbers
    """[N, F]"""


@dataclass(frozen=True, eq=False)
class Ahead:
    """Errors of predicted frames, and of the last given frame in their place."""

    predicted: Tensor
    """[clips, steps]: mean squared error of each frame, pixels from 0 to 1."""
    copied: Tensor
    """[clips, steps]"""


class ClipEvidence:
    """What metrics of videos are computed from, each piece made once.

    Args:
        model: what is measured.
        data: videos of the model's size.
        split: of the data.
        count: how many frames to recompose.
        seed: of all that is chosen.
        batch_size: frames at a time.
        progress: told how it goes.
    """

    def __init__(
        self,
        model: Model,
        data: ClipData,
        *,
        split: str = "train",
        count: int,
        seed: int = 0,
        batch_size: int = 64,
        progress: Progress | None = None,
    ) -> None:
        self.model = model
        self.data = data
        self.split = split
        self.count = count
        self.seed = seed
        self.batch_size = batch_size
        self.progress = progress

    def of_split(self, split: str) -> ClipData:
        """Return the data, of which there is one split here."""
        return self.data

    @cached_property
    def codes(self) -> Codes:
        """Codes of frames of many clips, some of each."""
        clips = self._chosen(MOST_CLIPS)
        most = min(self.count, MOST_FRAMES) // len(clips)
        shortest = int(self.data.lengths[clips].min())
        times = self._times(clips, min(shortest, max(LEAST_FRAMES, most)), 1)
        codes: dict[str, list[Tensor]] = {space: [] for space in SPACES}
        for start in range(0, len(clips), TOGETHER):
            part = slice(start, start + TOGETHER)
            frames = self._frames(clips[part], times[part]).flatten(0, 1)
            for space, its in codes.items():
                its.append(self.model.encode(frames, space=space, batch_size=self.batch_size))
            self._tell("encoded clips", min(start + TOGETHER, len(clips)), len(clips))
        factors = self.data.factors(clips, times)
        return Codes(
            {space: torch.cat(its).flatten(1).double().numpy() for space, its in codes.items()},
            np.repeat(clips, times.shape[1]),
            factors.reshape(len(clips) * times.shape[1], -1),
        )

    @cached_property
    def recomposed(self) -> tuple[Tensor, Tensor]:
        """Errors of frames made of an earlier frame's content and their own pose.

        Returns:
            mean squared errors [N] of these, and of the earlier frame itself in their place
        """
        clips = np.resize(self._chosen(self.count), self.count)
        times = self._times(clips, 2, 2)
        made, copied = [], []
        for start in range(0, len(clips), self.batch_size):
            part = slice(start, start + self.batch_size)
            earlier, later = self._frames(clips[part], times[part]).unbind(1)
            images = self.model.swap(earlier, later, batch_size=self.batch_size)
            made.append(squared_errors(later, images))
            copied.append(squared_errors(later, earlier))
            self._tell("recomposed frames", min(part.stop, len(clips)), len(clips))
        return torch.cat(made), torch.cat(copied)

    @cached_property
    def ahead(self) -> Ahead:
        """Errors over the frames that are predicted.

        Raises:
            DataError: clips are too short to predict anything in them.
        """
        clips = self._chosen(PREDICTED)
        check_lengths(self.data, PAST + 1, f"a prediction after {PAST} frames")
        future = min(FUTURE, int(self.data.lengths.min()) - PAST)
        predicted: list[Tensor] = []
        copied: list[Tensor] = []
        for start in range(0, len(clips), TOGETHER):
            its = clips[start : start + TOGETHER]
            times = np.tile(np.arange(PAST + future), (len(its), 1))
            frames = self._frames(its, times)
            past, truth = frames[:, :PAST], frames[:, PAST:].flatten(0, 1)
            seed = mixed_seed(self.seed, 20, start)
            made = self.model.predict(past, future, seed=seed, batch_size=self.batch_size)
            last = past[:, -1:].expand(-1, future, -1, -1, -1)
            for errors, images in ((predicted, made), (copied, last)):
                errors.append(squared_errors(truth, images.flatten(0, 1)).view(len(its), future))
            self._tell("predicted clips", min(start + TOGETHER, len(clips)), len(clips))
        return Ahead(torch.cat(predicted), torch.cat(copied))

    def probed(self) -> dict[str, dict[str, Estimate]]:
        """Return how well each factor is read off either code by a linear classifier.

        Returns:
            by factor: per cent from "content", from "pose" and by "chance"

        Raises:
            DataError: nothing is known of what the frames show.
        """
        if not self.data.factor_names:
            raise DataError(
                f"{self.data.name} does not say what its frames show, which probes are trained on; "
                "take videos with an index.csv, an npz: with factors, or moving-mnist:PATH"
            )
        codes, found = self.codes, {}
        for number, name in enumerate(self.data.factor_names):
            classes = codes.factors[:, number]
            if not np.ptp(classes):
                continue
            split = halves(classes, codes.clips, self._generator(3 + number))
            found[name] = {
                space: linear_probe(its, classes, split) for space, its in codes.by_space.items()
            } | {"chance": chance(classes, split)}
            self._tell("probed factors", number + 1, len(self.data.factor_names))
        return found

    def told_apart(self) -> dict[str, Estimate]:
        """Return how well a network that learns now tells clips apart by pairs of either code."""
        codes = self.codes
        seed = mixed_seed(self.seed, 21) >> 1
        return {space: same_group(its, codes.clips, seed) for space, its in codes.by_space.items()}

    def _chosen(self, most: int) -> Numbers:
        count = min(most, len(self.data))
        return indices(len(self.data), count, 0, mixed_seed(self.seed, 22) >> 1)

    def _times(self, clips: Numbers, count: int, purpose: int) -> Numbers:
        """Draw `count` different times within each clip, in their order: [N, count]."""
        lengths = self.data.lengths[clips]
        keys = self._generator(purpose).random((len(clips), int(lengths.max())))
        keys[np.arange(keys.shape[1]) >= lengths[:, None]] = 2.0
        times: Numbers = np.sort(np.argsort(keys, axis=1, kind="stable")[:, :count], axis=1)
        return times

    def _frames(self, clips: Numbers, times: Numbers) -> Tensor:
        pixels = torch.from_numpy(self.data.frames(clips, times))
        return pixels.permute(0, 1, 4, 2, 3).float().div_(127.5).sub_(1)

    def _generator(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng(mixed_seed(self.seed, 23, purpose))

    def _tell(self, what: str, done: int, total: int) -> None:
        if self.progress:
            self.progress(what, done, total)
