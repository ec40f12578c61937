"""The metrics that a model and a data set can be given by name, such as `--metrics fid,kid`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.components import ImageNoise
from ganzoo_core.data import ImageData
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.captioned import (
    CANDIDATES,
    code_perplexity,
    faithfulness,
    judged_by_class,
    used_codes,
)
from ganzoo_core.evaluation.categories import categories_of
from ganzoo_core.evaluation.discriminator_features import discriminator_features, linear_accuracy
from ganzoo_core.evaluation.drawing import generator_of
from ganzoo_core.evaluation.encoded import (
    codes_beside_prior,
    label_logits,
    negative_log_likelihood,
)
from ganzoo_core.evaluation.evidence import Evidence, Translated
from ganzoo_core.evaluation.metrics.categories import category_error
from ganzoo_core.evaluation.metrics.classes import (
    class_accuracy,
    cluster_names,
    clustering_error,
    error_rate,
    mode_coverage,
)
from ganzoo_core.evaluation.metrics.common import Estimate
from ganzoo_core.evaluation.metrics.disentanglement import (
    beta_vae_score,
    dci,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)
from ganzoo_core.evaluation.metrics.frechet import frechet_distance
from ganzoo_core.evaluation.metrics.inception_score import inception_score
from ganzoo_core.evaluation.metrics.kernel import SUBSET_SIZE, kernel_distance
from ganzoo_core.evaluation.metrics.likelihood import parzen_bandwidth, parzen_log_likelihood
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
from ganzoo_core.evaluation.metrics.two_sample import maximum_mean_discrepancy
from ganzoo_core.evaluation.videos import STEPS, ClipEvidence
from ganzoo_core.model import slerp

VALIDATION = 1000
"""Real images, the last of the training split, by which the width of Parzen windows is chosen."""

PATHS = 1000
"""The most paths that a perceptual path length is averaged over, and pairs of a diversity."""

LIKELIHOODS, DRAWS = 1000, 500
"""The most images whose likelihood is bounded, and how often the code of each is drawn."""

COMPARED = 1000
"""The most codes that are held against as many latents of the prior."""

LEAST_ERROR = 1e-10
"""Mean squared error at which PSNR ends, at 100 decibels: equal images have none."""

NAMING = 10_000
"""The most images, from the end of the training split, that name clusters."""


class Figure(NamedTuple):
    """One number of a metric."""

    name: str
    estimate: Estimate
    better: Literal["lower", "higher", "neither"]
    real: int
    generated: int
    over_features: bool = True
    split: str | None = None
    """Of the real images, where it is not the one that was asked for."""


@dataclass(frozen=True)
class Measure:
    """A metric: what it is, what a model must be able to do for it, and how it is measured."""

    summary: str
    verb: Literal["sample", "reconstruct", "encode", "classify", "translate", "swap", "predict"]
    keep: frozenset[str]
    """What it needs of the generated images; see `Evidence`."""
    figures: Callable[[Any], list[Figure]]
    """Measures an `Evidence`, or a `ClipEvidence` where it is `of_clips`."""
    over_features: bool = True
    splits: tuple[str, ...] = ()
    """Splits of the data that it needs, whichever was asked for."""
    needs_factors: bool = False
    """Whether the data must say what their images were made from."""
    of_clips: bool = False
    """Whether it measures a model on videos."""
    judges_captions: bool = False
    """Whether it says what images show, by the features where captions are names of classes."""


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


def _code_error(evidence: Evidence) -> list[Figure]:
    train, test = evidence.of_split("train"), evidence.of_split("test")
    if train.labels is None or test.labels is None:
        raise DataError(f"{train.name} has no labels, which this metric compares with")
    learned, tried = (
        categories_of(evidence.model, data, batch_size=evidence.batch_size)
        for data in (train, test)
    )
    codes = generator_of(evidence.model).codes
    classes, true = torch.tensor(train.labels), torch.tensor(test.labels)
    return [
        Figure(
            f"code error {name}",
            category_error((learned[name], classes), (tried[name], true), codes[name].size),
            "lower",
            len(test),
            0,
            over_features=False,
            split="test",
        )
        for name in learned
    ]


def _discriminator_features(evidence: Evidence) -> list[Figure]:
    learned, tried = (
        (
            discriminator_features(
                evidence.model, data, batch_size=evidence.batch_size, progress=evidence.progress
            ),
            _labels(data, torch.arange(len(data))),
        )
        for data in (evidence.of_split("train"), evidence.of_split("test"))
    )
    accuracy = linear_accuracy(learned, tried, _numbers(evidence, 13))
    counts = (len(tried[0]), 0)
    name = "linear accuracy of discriminator features"
    return [Figure(name, accuracy, "higher", *counts, over_features=False, split="test")]


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


def _parzen(evidence: Evidence) -> list[Figure]:
    """Measure the test images' likelihood under Gaussian windows about generated images.

    As Goodfellow et al. 2014 (section 5, table 1) and their successors did: the width of the
    windows is the one of ten under which `VALIDATION` images from the end of the training split are
    most likely; pixels are from 0 to 1; the spread is the standard error over the test images. It
    is a poor metric: in many dimensions it ranks models by other things than the quality of their
    images or their true likelihood (Theis, van den Oord and Bethge 2016), and serves only to set a
    number beside those that were published.
    """
    train, test = evidence.of_split("train"), evidence.of_split("test")
    pixels = evidence.generated.pixels
    assert pixels is not None
    samples = pixels.permute(0, 2, 3, 1).flatten(1).double() / 255  # as real images lie
    validation = torch.tensor(train.images[-VALIDATION:]).flatten(1).double() / 255
    bandwidth = parzen_bandwidth(validation, samples)
    likelihood = parzen_log_likelihood(
        torch.tensor(test.images[:]).flatten(1).double() / 255, samples, bandwidth
    )
    counts = (len(test), len(samples))
    name = "Parzen log-likelihood"
    return [Figure(name, likelihood, "higher", *counts, over_features=False, split="test")]


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


def _translation_distance(evidence: Evidence) -> list[Figure]:
    """Measure the mean distance of pixels from 0 to 1."""
    return _per_direction(evidence, "translation L1", "lower", lambda held: held.distances)


def _translation_noise_ratio(evidence: Evidence) -> list[Figure]:
    """Measure each translation's 10 log₁₀(1 / MSE), of pixels from 0 to 1, in decibels."""
    return _per_direction(
        evidence,
        "translation PSNR",
        "higher",
        lambda held: -10 * held.squared_errors.clamp(min=LEAST_ERROR).log10(),
    )


def _translation_similarity(evidence: Evidence) -> list[Figure]:
    def values(held: Translated) -> Tensor:
        if held.similarities is None:
            raise DataError(
                f"images of {evidence.data.image_size} pixels are too small for SSIM, whose window "
                f"is {WINDOW} pixels wide; leave translation-ssim out of --metrics"
            )
        return held.similarities

    return _per_direction(evidence, "translation SSIM", "higher", values)


def _translation_class_accuracy(evidence: Evidence) -> list[Figure]:
    """Measure how often a classifier sees in a translation, and in the truth, what was shown."""
    figures = []
    for way, held in evidence.translated.items():
        if held.logits is None or held.truth_logits is None or held.labels is None:
            raise UnsupportedError(
                "the classes of translations need data with labels, and the --features of a "
                "classifier, such as mnist-convnet"
            )
        for of, logits in ((f"{way}", held.logits), (f"{way} of the truth", held.truth_logits)):
            accuracy = class_accuracy(logits, held.labels)
            counts = (len(logits), len(logits))
            figures.append(Figure(f"translation class accuracy {of}", accuracy, "higher", *counts))
    return figures


def _per_direction(
    evidence: Evidence,
    name: str,
    better: Literal["lower", "higher"],
    values: Callable[[Translated], Tensor],
) -> list[Figure]:
    figures = []
    for way, held in evidence.translated.items():
        each = values(held)
        counts = (len(each), len(each))
        figures.append(Figure(f"{name} {way}", _mean(each), better, *counts, over_features=False))
    return figures


def _likelihood(evidence: Evidence) -> list[Figure]:
    chosen = evidence.real_order[: min(evidence.count, LIKELIHOODS)]
    bound = negative_log_likelihood(
        evidence.model,
        evidence.real_images(chosen),
        evidence.generator(7),
        samples=DRAWS,
        batch_size=evidence.batch_size,
        progress=evidence.progress,
    )
    counts = (len(chosen), 0)
    return [Figure(f"NLL of {DRAWS} draws", bound, "lower", *counts, over_features=False)]


def _factor_vae_score(evidence: Evidence) -> list[Figure]:
    codes, factors = evidence.coded
    return _disentangled(
        evidence, {"FactorVAE score": factor_vae_score(codes, factors, _numbers(evidence, 8))}
    )


def _beta_vae_score(evidence: Evidence) -> list[Figure]:
    codes, factors = evidence.coded
    return _disentangled(
        evidence, {"β-VAE score": beta_vae_score(codes, factors, _numbers(evidence, 9))}
    )


def _mutual_information_gap(evidence: Evidence) -> list[Figure]:
    return _disentangled(evidence, {"MIG": mutual_information_gap(*evidence.coded)})


def _attribute_predictability(evidence: Evidence) -> list[Figure]:
    codes, factors = evidence.coded
    score = separated_attribute_predictability(codes, factors, _numbers(evidence, 10))
    return _disentangled(evidence, {"SAP": score})


def _dci(evidence: Evidence) -> list[Figure]:
    codes, factors = evidence.coded
    scores = dci(codes, factors, _numbers(evidence, 11))
    return _disentangled(
        evidence,
        {
            "DCI disentanglement": scores.disentanglement,
            "DCI completeness": scores.completeness,
            "DCI informativeness": scores.informativeness,
        },
    )


def _prior_discrepancy(evidence: Evidence) -> list[Figure]:
    chosen = evidence.real_order[: min(evidence.count, COMPARED)]
    codes, latents = codes_beside_prior(
        evidence.model,
        evidence.data,
        chosen,
        seed=evidence.seed,
        batch_size=evidence.batch_size,
        progress=evidence.progress,
    )
    found = maximum_mean_discrepancy(codes, latents, evidence.generator(12))
    counts = (len(codes), len(latents))
    return [
        Figure("prior MMD²", Estimate(found.squared), "lower", *counts, over_features=False),
        Figure("prior p-value", Estimate(found.p_value), "neither", *counts, over_features=False),
    ]


def _code_perplexity(evidence: Evidence) -> list[Figure]:
    counts, images = used_codes(evidence)
    numbers = {
        "code perplexity": code_perplexity(counts),
        "codes used": float((counts > 0).sum()),
        "dead codes": float((counts == 0).sum()),
    }
    return [
        Figure(
            name,
            Estimate(value),
            "lower" if name == "dead codes" else "higher",
            images,
            0,
            over_features=False,
        )
        for name, value in numbers.items()
    ]


def _faithfulness(evidence: Evidence) -> list[Figure]:
    return _faithful(evidence, 1)


def _reranked_faithfulness(evidence: Evidence) -> list[Figure]:
    return _faithful(evidence, CANDIDATES)


def _faithful(evidence: Evidence, candidates: int) -> list[Figure]:
    over_features = judged_by_class(evidence.data)
    return [
        Figure(name, estimate, "higher", 0, count, over_features)
        for name, (estimate, count) in faithfulness(evidence, candidates=candidates).items()
    ]


def _classification_error(evidence: Evidence) -> list[Figure]:
    chosen = evidence.real_order[: evidence.count]
    error = error_rate(_named(evidence, evidence.data, chosen), _labels(evidence.data, chosen))
    counts = (len(chosen), 0)
    return [Figure("classification error", error, "lower", *counts, over_features=False)]


def _clustering_error(evidence: Evidence) -> list[Figure]:
    train = evidence.of_split("train")
    naming = torch.arange(max(0, len(train) - NAMING), len(train))
    names = cluster_names(_named(evidence, train, naming), _labels(train, naming))
    chosen = evidence.real_order[: evidence.count]
    error = clustering_error(
        _named(evidence, evidence.data, chosen), _labels(evidence.data, chosen), names
    )
    counts = (len(chosen), 0)
    return [Figure("clustering error", error, "lower", *counts, over_features=False)]


def _named(evidence: Evidence, data: ImageData, chosen: Tensor) -> Tensor:
    return label_logits(
        evidence.model,
        data,
        chosen,
        batch_size=evidence.batch_size,
        progress=evidence.progress,
    )


def _labels(data: ImageData, chosen: Tensor) -> Tensor:
    if data.labels is None:
        raise DataError(f"{data.name} has no labels, which this metric compares with")
    return torch.from_numpy(data.labels[chosen.numpy()])


def _probes(evidence: ClipEvidence) -> list[Figure]:
    counts = (len(evidence.codes.clips), 0)
    named = {
        f"{factor} {'by' if source == 'chance' else 'from'} {source}": share
        for factor, shares in evidence.probed().items()
        for source, share in shares.items()
    }
    return [
        Figure(name, share, "neither", *counts, over_features=False)
        for name, share in named.items()
    ]


def _scene_accuracy(evidence: ClipEvidence) -> list[Figure]:
    counts = (len(evidence.codes.clips), 0)
    return [
        Figure(f"scene accuracy from {space}", share, "neither", *counts, over_features=False)
        for space, share in evidence.told_apart().items()
    ]


def _recomposition(evidence: ClipEvidence) -> list[Figure]:
    made, copied = evidence.recomposed
    counts = (len(made), len(made))
    return [
        Figure("recomposition MSE", _mean(made), "lower", *counts, over_features=False),
        Figure("MSE of the other frame", _mean(copied), "neither", *counts, over_features=False),
    ]


def _prediction(evidence: ClipEvidence) -> list[Figure]:
    ahead = evidence.ahead
    clips, future = ahead.predicted.shape
    figures = []
    for errors, what, better in (
        (ahead.predicted, "prediction MSE", "lower"),
        (ahead.copied, "MSE of the last frame", "neither"),
    ):
        shown = {f"{what} at {step}": errors[:, step - 1] for step in STEPS if step <= future}
        shown[f"{what} over {future}"] = errors.mean(1)
        figures += [
            Figure(name, _mean(each), better, clips, clips, over_features=False)  # type: ignore[arg-type]
            for name, each in shown.items()
        ]
    return figures


def _disentangled(evidence: Evidence, scores: Mapping[str, float]) -> list[Figure]:
    counts = (len(evidence.coded.codes), 0)
    return [
        Figure(name, Estimate(score), "higher", *counts, over_features=False)
        for name, score in scores.items()
    ]


def _numbers(evidence: Evidence, purpose: int) -> np.random.Generator:
    return np.random.default_rng(evidence.generator(purpose).initial_seed())


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


def _translated(summary: str, figures: Callable[[Evidence], list[Figure]]) -> Measure:
    return Measure(summary, "translate", frozenset(), figures, over_features=False)


def _encoded(summary: str, figures: Callable[[Evidence], list[Figure]]) -> Measure:
    return Measure(summary, "encode", frozenset(), figures, over_features=False, needs_factors=True)


def _filmed(
    summary: str,
    verb: Literal["swap", "predict"],
    figures: Callable[[ClipEvidence], list[Figure]],
    *,
    needs_factors: bool = False,
) -> Measure:
    return Measure(
        summary,
        verb,
        frozenset(),
        figures,
        over_features=False,
        needs_factors=needs_factors,
        of_clips=True,
    )


MEASURES: Mapping[str, Measure] = {
    "fid": _sampled("Fréchet distance to all real images", "moments", _fid),
    "kid": _sampled("kernel distance, mean and deviation over subsets", "features", _kid),
    "is": _sampled("Inception Score", "logits", _inception_score),
    "precision-recall": _sampled("improved precision and recall", "features", _precision_recall),
    "density-coverage": _sampled("density and coverage", "features", _density_coverage),
    "modes": _sampled("classes that are drawn, and their balance", "logits", _modes),
    "class-accuracy": _sampled("images of the class asked for", "logits", _class_accuracy),
    "code-error": Measure(
        "error of classifying by a categorical code, which found its categories without labels",
        "sample",
        frozenset(),
        _code_error,
        over_features=False,
        splits=("train", "test"),
    ),
    "discriminator-features": Measure(
        "images that a linear SVM on the discriminator's features names rightly, in per cent",
        "sample",
        frozenset(),
        _discriminator_features,
        over_features=False,
        splits=("train", "test"),
    ),
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
    "parzen": Measure(
        "log-likelihood under Parzen windows, in nats; poor, to compare with old papers only",
        "sample",
        frozenset({"pixels"}),
        _parzen,
        over_features=False,
        splits=("train", "test"),
    ),
    "mse": _rebuilt("squared error of reconstructions, pixels from 0 to 1", _squared_error),
    "ssim": _rebuilt("structural similarity of reconstructions", _structural_similarity),
    "translation-l1": _translated(
        "distance of translations to the counterparts of paired data, pixels from 0 to 1",
        _translation_distance,
    ),
    "translation-psnr": _translated(
        "peak signal-to-noise ratio of translations of paired data, in decibels",
        _translation_noise_ratio,
    ),
    "translation-ssim": _translated(
        "structural similarity of translations to the counterparts of paired data",
        _translation_similarity,
    ),
    "translation-class-accuracy": Measure(
        "translations in which a classifier sees what the image showed, and the same of the truth",
        "translate",
        frozenset({"logits"}),
        _translation_class_accuracy,
    ),
    "nll": _rebuilt("negative log-likelihood by importance weighting, in nats", _likelihood),
    "prior-mmd": Measure(
        "whether codes follow the prior: squared discrepancy and p-value of a permutation test",
        "encode",
        frozenset(),
        _prior_discrepancy,
        over_features=False,
    ),
    "classification-error": Measure(
        "images taken for another class, in per cent",
        "classify",
        frozenset(),
        _classification_error,
        over_features=False,
    ),
    "clustering-error": Measure(
        "images in a cluster whose surest image is of another class, in per cent",
        "encode",
        frozenset(),
        _clustering_error,
        over_features=False,
        splits=("train",),
    ),
    "code-perplexity": Measure(
        "how many codes are used, of models whose codes are whole numbers",
        "encode",
        frozenset(),
        _code_perplexity,
        over_features=False,
    ),
    "faithfulness": Measure(
        "images that show all that their caption says, a scene or a class",
        "sample",
        frozenset(),
        _faithfulness,
        over_features=False,
        judges_captions=True,
    ),
    "reranked-faithfulness": Measure(
        f"the same of the best of {CANDIDATES} images by the model's reranker",
        "sample",
        frozenset(),
        _reranked_faithfulness,
        over_features=False,
        judges_captions=True,
    ),
    "factor-vae-score": _encoded(
        "factors named by the dimension that moves least, on data with known factors",
        _factor_vae_score,
    ),
    "beta-vae-score": _encoded(
        "factors named by a linear classifier of differences", _beta_vae_score
    ),
    "mig": _encoded("mutual information gap of codes and factors", _mutual_information_gap),
    "sap": _encoded("gap of the two dimensions that tell most", _attribute_predictability),
    "dci": _encoded("disentanglement, completeness and informativeness", _dci),
    "recomposition": _filmed(
        "squared error of frames made of another frame's content and their own pose, of videos",
        "swap",
        _recomposition,
    ),
    "scene-accuracy": _filmed(
        "pairs of poses, and of contents, told to be of one video or two, in per cent",
        "swap",
        _scene_accuracy,
    ),
    "probes": _filmed(
        "what is known of videos read off content and off pose by linear classifiers, in per cent",
        "swap",
        _probes,
        needs_factors=True,
    ),
    "prediction": _filmed(
        "squared error of predicted frames beside that of the last frame given, of videos",
        "predict",
        _prediction,
    ),
}
"""Every metric by the name that `--metrics` takes."""
