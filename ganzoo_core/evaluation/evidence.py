"""What metrics are computed from, each piece made once however many metrics share it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ganzoo_core.components import mixed_seed
from ganzoo_core.data import ImageData, indices
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation import real
from ganzoo_core.evaluation.drawing import draw, eight_bit
from ganzoo_core.evaluation.encoded import Coded, codes_beside_factors
from ganzoo_core.evaluation.features import Features
from ganzoo_core.evaluation.metrics.frechet import Moments
from ganzoo_core.evaluation.metrics.similarity import (
    WINDOW,
    squared_errors,
    structural_similarities,
)
from ganzoo_core.evaluation.real import Progress, images_to_pixels, pixels_to_images
from ganzoo_core.model import Model

IMAGES_KEPT = 4096
"""The most generated images that are kept as such: metrics over pixels use no more."""

TRANSLATED_TOGETHER = 64
"""Images whose noise has one seed, whatever the batch size: it must not change what is measured."""

LEAST_RECOGNISED = 0.85
"""A classifier that knows a smaller share of the real images cannot judge generated ones."""


@dataclass(frozen=True, eq=False)
class Generated:
    """What is kept of the generated images."""

    moments: Moments | None
    features: Tensor | None
    """[N, size]"""
    logits: Tensor | None
    """[N, classes]"""
    labels: Tensor | None
    """[N], what they were asked to show; None where the model takes no classes."""
    images: Tensor | None
    """[N, C, H, W] in [-1, 1]; at most `IMAGES_KEPT` of them."""
    pixels: Tensor | None
    """[N, C, H, W] of 0 to 255, uint8: all of them in an eighth of the room."""


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """How far reconstructions are from their images."""

    squared_errors: Tensor
    """[N]"""
    similarities: Tensor | None
    """[N]; None of images too small for SSIM."""


@dataclass(frozen=True, eq=False)
class Translated:
    """How far translations one way are from their images' counterparts."""

    distances: Tensor
    """[N], mean of the pixels' absolute differences on a scale of 0 to 1"""
    squared_errors: Tensor
    """[N], the same of their squares"""
    similarities: Tensor | None
    """[N]; None of images too small for SSIM."""
    logits: Tensor | None
    """[N, classes], of the translations, where a metric asks for them"""
    truth_logits: Tensor | None
    """[N, classes], of the counterparts"""
    labels: Tensor | None
    """[N], what the images show; None where the data do not say."""


class Evidence:
    """A model, data to hold it against, and what several metrics need of both.

    Args:
        model: to evaluate.
        data: real images of the model's size.
        features: to compare them by; None where no metric asks.
        split: of the data that is held against.
        open_split: opens another split of the same data at the same size; None where there is none.
        count: how many images to draw.
        seed: of the images and of all that metrics draw.
        batch_size: images at a time.
        keep: which of `moments`, `features`, `logits`, `images` and `pixels` any metric will ask
            for.
        progress: told how it goes.
    """

    def __init__(
        self,
        model: Model,
        data: ImageData,
        features: Features | None,
        *,
        split: str = "train",
        open_split: Callable[[str], ImageData] | None = None,
        count: int,
        seed: int = 0,
        batch_size: int = 64,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self.model = model
        self.data = data
        self.split = split
        self.count = count
        self.seed = seed
        self.batch_size = batch_size
        self._features = features
        self._open_split = open_split
        self._splits = {split: data}
        self._keep = frozenset(keep)
        self.progress = progress

    @property
    def features(self) -> Features:
        """The feature extractor."""
        if self._features is None:
            raise UnsupportedError("this metric needs features; name some with --features")
        return self._features

    def of_split(self, split: str) -> ImageData:
        """Return a split of the data, opened when it is first asked for.

        Raises:
            DataError: the data have no such split.
        """
        if split not in self._splits:
            if self._open_split is None:
                raise DataError(f"{self.data.name} is given without its split {split!r}")
            self._splits[split] = self._open_split(split)
        return self._splits[split]

    def generator(self, purpose: int) -> torch.Generator:
        """Return a generator for one metric, so that no metric changes what another draws."""
        return torch.Generator().manual_seed(mixed_seed(self.seed, 17, purpose))

    @cached_property
    def generated(self) -> Generated:
        """The model's images, drawn in one pass and kept only as far as metrics need them."""
        keep, embedding = self._keep, self._keep & {"moments", "features", "logits"}
        moments = Moments(self.features.size) if "moments" in keep else None
        features, logits, labels, images, pixels = [], [], [], [], []
        kept = 0
        for drawn in draw(self.model, self.count, self.seed, self.batch_size):
            if embedding:
                embedded = self.features.embed(drawn.images)
                if moments:
                    moments.add(embedded.features)
                if "features" in keep:
                    features.append(embedded.features)
                if "logits" in keep and embedded.logits is not None:
                    logits.append(embedded.logits)
            if drawn.labels is not None:
                labels.append(drawn.labels)
            if "images" in keep and kept < IMAGES_KEPT:
                images.append(drawn.images[: IMAGES_KEPT - kept])
            if "pixels" in keep:
                pixels.append(images_to_pixels(drawn.images))
            kept += len(drawn.images)
            if self.progress:
                self.progress("generated images", kept, self.count)
        return Generated(moments, *map(_joined, (features, logits, labels, images, pixels)))

    @cached_property
    def real_moments(self) -> Moments:
        """Mean and covariance over all real images."""
        return real.real_moments(
            self.data, self.features, batch_size=self.batch_size, progress=self.progress
        )

    @cached_property
    def real_features(self) -> Tensor:
        """Features of as many real images as are drawn, or of all where they are fewer."""
        return self._real_features(self.count)

    @cached_property
    def all_real_features(self) -> Tensor:
        """Features of all real images, in the order of `real_order`."""
        return self._real_features(len(self.data))

    @cached_property
    def real_order(self) -> Tensor:
        """The order in which real images are used: [N], int64."""
        return torch.from_numpy(indices(len(self.data), len(self.data), 0, self.seed))

    def real_images(self, chosen: Tensor) -> Tensor:
        """Return real images by their numbers [N]: [N, C, H, W] in [-1, 1]."""
        return pixels_to_images(self.data.images[chosen.numpy()])

    @cached_property
    def reconstructed(self) -> Reconstructed:
        """Errors of the reconstructions of `count` real images, or of all."""
        count = min(self.count, len(self.data))
        errors, similarities = [], []
        for start in range(0, count, self.batch_size):
            chosen = self.real_order[start : min(start + self.batch_size, count)]
            images = self.real_images(chosen)
            rebuilt = self.model.reconstruct(images, batch_size=self.batch_size)
            rebuilt = eight_bit(rebuilt, f"reconstructions of {self.model.variant}", start)
            errors.append(squared_errors(images, rebuilt))
            if self.data.image_size >= WINDOW:
                similarities.append(structural_similarities(images, rebuilt))
            if self.progress:
                self.progress("reconstructed images", start + len(images), count)
        return Reconstructed(torch.cat(errors), _joined(similarities))

    @cached_property
    def translated(self) -> Mapping[str, Translated]:
        """Errors of `count` translations each way, or of all.

        Raises:
            DataError: the data are no pairs.
        """
        if self.data.other is None or not self.data.paired:
            raise DataError(
                f"{self.data.name} has no pairs, which tell how far a translation is from the "
                "truth; take --data paired:PATH"
            )
        return {way: self._translated(way) for way in self.model.directions}

    @cached_property
    def coded(self) -> Coded:
        """Codes of `count` real images, or of all, beside the factors that they were made from."""
        return codes_beside_factors(
            self.model,
            self.data,
            self.real_order[: self.count],
            batch_size=self.batch_size,
            progress=self.progress,
        )

    def needed_logits(self) -> Tensor:
        """Return the class logits of the generated images.

        Raises:
            UnsupportedError: the features are no classifier.
        """
        if self.generated.logits is None:
            raise UnsupportedError(
                f"the features {self.features.name} have no classes; take --features of a "
                "classifier, such as mnist-convnet or inception_v3.tf_in1k"
            )
        return self.generated.logits

    def named(self, images: Tensor) -> Tensor:
        """Return the class that the features see in each of some images [N, C, H, W]: [N]."""
        found = []
        for chunk in images.split(self.batch_size):
            logits = self.features.embed(chunk).logits
            assert logits is not None, "check_classes comes first"
            found.append(logits.argmax(1).cpu())
        return torch.cat(found)

    @cached_property
    def recognised(self) -> float:
        """The share of real images whose class the features name rightly."""
        return real.recognised(self.data, self.features, batch_size=self.batch_size)

    def check_classes(self) -> None:
        """Check that the features can tell the data's own classes apart.

        Raises:
            DataError: the data have no labels.
            UnsupportedError: the features have other classes, or take real images for wrong ones.
        """
        if self.data.labels is None:
            raise DataError(f"{self.data.name} has no labels, which this metric compares with")
        if self.recognised < LEAST_RECOGNISED:
            raise UnsupportedError(
                f"the features {self.features.name} name the class of {self.recognised:.0%} of the "
                f"real images of {self.data.name}, too few to judge generated ones; take "
                "--features of a classifier of these data"
            )

    def _translated(self, way: str) -> Translated:
        other = self.data.other
        assert other is not None
        given, wanted = (self.data, other) if way == "ab" else (other, self.data)
        count = min(self.count, len(self.data))
        distances, errors, similarities = [], [], []
        logits: tuple[list[Tensor], list[Tensor]] = ([], [])
        labels = None
        if self.data.labels is not None:
            labels = torch.from_numpy(self.data.labels[self.real_order[:count].numpy()])
        for start in range(0, count, TRANSLATED_TOGETHER):
            chosen = self.real_order[start : min(start + TRANSLATED_TOGETHER, count)].numpy()
            truth = pixels_to_images(wanted.images[chosen])
            made = self.model.translate(
                pixels_to_images(given.images[chosen]),
                direction=way,
                seed=mixed_seed(self.seed, 19, start),
                batch_size=self.batch_size,
            )
            made = eight_bit(made, f"translations of {self.model.variant}", start)
            distances.append(((made - truth) / 2).abs().flatten(1).double().mean(1))
            errors.append(squared_errors(truth, made))
            if self.data.image_size >= WINDOW:
                similarities.append(structural_similarities(truth, made))
            if "logits" in self._keep:
                for images, found in zip((made, truth), logits, strict=True):
                    named = self.features.embed(images).logits
                    if named is not None:
                        found.append(named)
            if self.progress:
                self.progress(f"translated {way}", start + len(truth), count)
        return Translated(
            torch.cat(distances),
            torch.cat(errors),
            _joined(similarities),
            _joined(logits[0]),
            _joined(logits[1]),
            labels,
        )

    def _real_features(self, count: int) -> Tensor:
        return real.real_features(
            self.data,
            self.features,
            count,
            seed=self.seed,
            batch_size=self.batch_size,
            progress=self.progress,
        )


def _joined(parts: list[Tensor]) -> Tensor | None:
    return torch.cat(parts) if parts else None
