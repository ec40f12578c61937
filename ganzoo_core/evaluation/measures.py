"""The metrics that a model and a data set can be given by name, such as `--metrics fid,kid`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ganzoo_core.components import ImageNoise
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.drawing import generator_of
from ganzoo_core.evaluation.evidence import Evidence
from ganzoo_core.evaluation.metrics.classes import class_accuracy, mode_coverage
from ganzoo_core.evaluation.metrics.common import Estimate
from ganzoo_core.evaluation.metrics.frechet import frechet_distance
from ganzoo_core.evaluation.metrics.inception_score import inception_score
from ganzoo_core.evaluation.metrics.kernel import SUBSET_SIZE, kernel_distance
from ganzoo_core.evaluation.metrics.neighbours import (
    density_coverage,
    memorisation,
    precision_recall,
)
from ganzoo_core.evaluation.metrics.perceptual import perceptual_diversity, perceptual_path_length
from ganzoo_core.evaluation.metrics.similarity import (
    WINDOW,
    multiscale_similarity,
    scales_of,
)
from ganzoo_core.evaluation.metrics.sliced_wasserstein import sliced_wasserstein
from ganzoo_core.model import slerp

PATHS = 1000
"""The most paths that a perceptual path length is averaged over, and pairs of a diversity."""


class Figure(NamedTuple):
    """One number of a metric."""

    name: str
    estimate: Estimate
    better: Literal["lower", "higher", "neither"]
    real: int
    generated: int
    over_features: bool = True


@dataclass(frozen=True)
class Measure:
    """A metric: what it is, what a model must be able to do for it, and how it is measured."""

    summary: str
    verb: Literal["sample", "reconstruct"]
    keep: frozenset[str]
    """What it needs of the generated images; see `Evidence`."""
    figures: Callable[[Evidence], list[Figure]]
    over_features: bool = True


def _fid(evidence: Evidence) -> list[Figure]:
    real, generated = evidence.real_moments, evidence.generated.moments
    assert generated is not None
    distance = Estimate(frechet_distance(real, generated))
    return [Figure("FID", distance, "lower", real.count, generated.count)]


def _kid(evidence: Evidence) -> list[Figure]:
    real, generated = evidence.real_features, _features(evidence)
    # Subsets of half of the images at most, so that they differ and there is a spread.
    size = max(2, min(SUBSET_SIZE, len(real) // 2, len(generated) // 2))
    distance = kernel_distance(real, generated, evidence.generator(1), subset_size=size)
    return [Figure("KID", distance, "lower", len(real), len(generated))]


def _inception_score(evidence: Evidence) -> list[Figure]:
    logits = evidence.needed_logits()
    score = inception_score(logits, evidence.generator(2))
    return [Figure("Inception Score", score, "higher", 0, len(logits))]


def _precision_recall(evidence: Evidence) -> list[Figure]:
    real, generated = evidence.real_features, _features(evidence)
    precision, recall = precision_recall(real, generated)
    return [
        Figure("precision", Estimate(precision), "higher", len(real), len(generated)),
        Figure("recall", Estimate(recall), "higher", len(real), len(generated)),
    ]


def _density_coverage(evidence: Evidence) -> list[Figure]:
    real, generated = evidence.real_features, _features(evidence)
    density, coverage = density_coverage(real, generated)
    return [
        Figure("density", Estimate(density), "higher", len(real), len(generated)),
        Figure("coverage", Estimate(coverage), "higher", len(real), len(generated)),
    ]


def _modes(evidence: Evidence) -> list[Figure]:
    evidence.check_classes()
    logits, labels = evidence.needed_logits(), evidence.data.labels
    modes = mode_coverage(logits, torch.tensor(labels))
    counts = (len(evidence.data), len(logits))
    return [
        Figure("modes", Estimate(float(modes.found)), "higher", *counts),
        Figure("mode KL", Estimate(modes.divergence), "lower", *counts),
    ]


def _class_accuracy(evidence: Evidence) -> list[Figure]:
    if not generator_of(evidence.model).classes:
        raise UnsupportedError(
            f"{evidence.model.variant} cannot be asked for a class, so class accuracy does not "
            "apply; leave class-accuracy out of --metrics"
        )
    evidence.check_classes()
    logits, labels = evidence.needed_logits(), evidence.generated.labels
    assert labels is not None
    accuracy = class_accuracy(logits, labels)
    return [Figure("class accuracy", accuracy, "higher", 0, len(logits))]


def _sliced_wasserstein(evidence: Evidence) -> list[Figure]:
    generated = _images(evidence)
    real = evidence.real_images(evidence.real_order[: len(generated)])
    count = min(len(real), len(generated))
    distances = sliced_wasserstein(real, generated, evidence.generator(3))
    levels = {f"SWD {size}": distance for size, distance in distances.items()}
    levels["SWD average"] = sum(distances.values()) / len(distances)
    return [
        Figure(name, Estimate(distance * 1000), "lower", count, count, over_features=False)
        for name, distance in levels.items()
    ]


def _multiscale_similarity(evidence: Evidence) -> list[Figure]:
    images = _images(evidence)
    scales = scales_of(min(images.shape[2:]))
    similarity = multiscale_similarity(images, evidence.generator(4), pairs=PATHS)
    name = "MS-SSIM" if scales == 5 else f"MS-SSIM of {scales} scale{'s' if scales > 1 else ''}"
    return [Figure(name, similarity, "lower", 0, len(images), over_features=False)]


def _diversity(evidence: Evidence) -> list[Figure]:
    images = _images(evidence)
    diversity = perceptual_diversity(
        images,
        evidence.features.maps,
        evidence.generator(5),
        pairs=PATHS,
        batch_size=evidence.batch_size,
    )
    return [Figure("perceptual diversity", diversity, "higher", 0, len(images))]


def _path_length(evidence: Evidence) -> list[Figure]:
    model, generator = evidence.model, generator_of(evidence.model)
    if generator.classes:
        raise UnsupportedError(
            f"{model.variant} draws images of a class, for which no path length is defined here; "
            "leave ppl out of --metrics"
        )
    paths = min(PATHS, evidence.count)
    noise = ImageNoise(evidence.seed, range(2 * paths), model.device)
    latents = generator.latents(2 * paths, noise)
    length = perceptual_path_length(
        lambda latents: model.decode(latents, seed=evidence.seed),
        (latents[0::2], latents[1::2]),
        slerp,
        evidence.features.maps,
        evidence.generator(6),
        batch_size=evidence.batch_size,
    )
    return [Figure("PPL", length, "lower", 0, 2 * paths)]


def _memorisation(evidence: Evidence) -> list[Figure]:
    real, generated = evidence.all_real_features, _features(evidence)
    share = Estimate(memorisation(real, generated))
    return [Figure("memorisation", share, "neither", len(real), len(generated))]


def _squared_error(evidence: Evidence) -> list[Figure]:
    errors = evidence.reconstructed.squared_errors
    return [Figure("MSE", _mean(errors), "lower", len(errors), len(errors), over_features=False)]


def _structural_similarity(evidence: Evidence) -> list[Figure]:
    values = evidence.reconstructed.similarities
    if values is None:
        raise DataError(
            f"images of {evidence.data.image_size} pixels are too small for SSIM, whose window is "
            f"{WINDOW} pixels wide; leave ssim out of --metrics"
        )
    return [Figure("SSIM", _mean(values), "higher", len(values), len(values), over_features=False)]


def _features(evidence: Evidence) -> Tensor:
    features = evidence.generated.features
    assert features is not None
    return features


def _images(evidence: Evidence) -> Tensor:
    images = evidence.generated.images
    assert images is not None
    return images


def _mean(values: Tensor) -> Estimate:
    error = values.double().std().item() / len(values) ** 0.5 if len(values) > 1 else None
    return Estimate(values.double().mean().item(), error)


def _sampled(
    summary: str,
    keep: str,
    figures: Callable[[Evidence], list[Figure]],
    *,
    over_features: bool = True,
) -> Measure:
    return Measure(summary, "sample", frozenset({keep}), figures, over_features)


def _rebuilt(summary: str, figures: Callable[[Evidence], list[Figure]]) -> Measure:
    return Measure(summary, "reconstruct", frozenset(), figures, over_features=False)


MEASURES: Mapping[str, Measure] = {
    "fid": _sampled("Fréchet distance to all real images", "moments", _fid),
    "kid": _sampled("kernel distance, mean and deviation over subsets", "features", _kid),
    "is": _sampled("Inception Score", "logits", _inception_score),
    "precision-recall": _sampled("improved precision and recall", "features", _precision_recall),
    "density-coverage": _sampled("density and coverage", "features", _density_coverage),
    "modes": _sampled("classes that are drawn, and their balance", "logits", _modes),
    "class-accuracy": _sampled("images of the class asked for", "logits", _class_accuracy),
    "memorisation": _sampled(
        "images nearer to training data than these are to each other", "features", _memorisation
    ),
    "diversity": _sampled("perceptual distance of pairs", "images", _diversity),
    "ppl": Measure("perceptual path length", "sample", frozenset(), _path_length),
    "swd": _sampled(
        "sliced Wasserstein distance a level, times 1000",
        "images",
        _sliced_wasserstein,
        over_features=False,
    ),
    "ms-ssim": _sampled(
        "multi-scale similarity of pairs", "images", _multiscale_similarity, over_features=False
    ),
    "mse": _rebuilt("squared error of reconstructions, pixels from 0 to 1", _squared_error),
    "ssim": _rebuilt("structural similarity of reconstructions", _structural_similarity),
}
"""Every metric by the name that `--metrics` takes."""
