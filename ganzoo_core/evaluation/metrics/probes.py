"""What can be read off codes by simple classifiers."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import Estimate

Array = np.ndarray[Any, np.dtype[np.float64]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

UNITS = 100
"""Of each of the two hidden layers of the classifier of pairs (Denton and Birodkar 2017)."""


class Halves(NamedTuple):
    """Which codes a classifier learns from, and which it is tried on: indices."""

    learned: Numbers
    tried: Numbers


def halves(classes: Numbers, groups: Numbers, generator: np.random.Generator) -> Halves:
    """Keep half of the groups back, or half of each class where that would keep back whole classes.

    Args:
        classes: [N], what a classifier is to name.
        groups: [N], such as the video that each code is from.
        generator: chooses the half.
    """
    names = np.unique(groups)
    kept = np.isin(groups, generator.permutation(names)[: len(names) // 2])
    if not np.isin(classes[kept], classes[~kept]).all() or not kept.any():
        # By turns within each class, in an order of chance.
        order = generator.permutation(len(classes))
        order = order[np.argsort(classes[order], kind="stable")]
        _, starts = np.unique(classes[order], return_index=True)
        place = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
        kept = np.zeros(len(classes), dtype=bool)
        kept[order[place % 2 == 1]] = True
    return Halves(np.flatnonzero(~kept), np.flatnonzero(kept))


def linear_probe(codes: Array, classes: Numbers, split: Halves) -> Estimate:
    """Return in how many per cent a linear classifier of codes [N, D] names the right class.

    The spread is the standard error over the codes that it is tried on.

    Raises:
        DataError: codes that are not finite, or too few of them.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    codes = _standardised(codes, split)
    _check_enough(split)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = LogisticRegression(max_iter=300).fit(
            codes[split.learned], classes[split.learned]
        )
    return _per_cent(classifier.predict(codes[split.tried]) == classes[split.tried])


def chance(classes: Numbers, split: Halves) -> Estimate:
    """Return in how many per cent the class that is most frequent where one learns is right."""
    values, counts = np.unique(classes[split.learned], return_counts=True)
    return _per_cent(classes[split.tried] == values[counts.argmax()])


def same_group(codes: Array, groups: Numbers, seed: int) -> Estimate:
    """Return in how many per cent a small network tells pairs of one group from pairs of two.

    The network has two hidden layers. It learns from half of the groups and is tried on the other
    half, on as many pairs of either kind; 50 % is chance.

    Args:
        codes: [N, D]
        groups: [N], each with at least two codes, such as the video that each is from.
        seed: of the halves, the pairs and the network.

    Raises:
        DataError: codes that are not finite, or fewer than four groups.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    generator = np.random.default_rng(seed)
    names = generator.permutation(np.unique(groups))
    if len(names) < 4:
        raise DataError(f"{len(names)} videos are too few to tell apart; take at least 4")
    kept = np.isin(groups, names[: len(names) // 2])
    codes = _standardised(codes, Halves(np.flatnonzero(~kept), np.flatnonzero(kept)))
    learned, truth = _pairs(codes[~kept], groups[~kept], generator)
    tried, answers = _pairs(codes[kept], groups[kept], generator)
    network = MLPClassifier(
        (UNITS, UNITS),
        early_stopping=True,
        max_iter=100,
        random_state=int(generator.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(learned, truth)
    return _per_cent(network.predict(tried) == answers)


def _pairs(codes: Array, groups: Numbers, generator: np.random.Generator) -> tuple[Array, Numbers]:
    """Pair each code with another of its group, and with one of another group: [2 N, 2 D]."""
    order = generator.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    within = np.arange(len(order)) - np.repeat(starts, sizes)
    sizes, starts = np.repeat(sizes, sizes), np.repeat(starts, sizes)
    same = order[starts + (within + 1) % sizes]
    # Any number of places further on that leads out of the group.
    away = sizes + (generator.random(len(order)) * (len(order) - sizes)).astype(np.int64)
    other = order[(starts + away) % len(order)]
    joined = np.concatenate(
        [
            np.concatenate([codes[order], codes[same]], 1),
            np.concatenate([codes[order], codes[other]], 1),
        ]
    )
    return joined, np.repeat([1, 0], len(order))


def _standardised(codes: Array, split: Halves) -> Array:
    if not np.isfinite(codes).all():
        raise DataError("some codes are infinite or not a number; the encoder has diverged")
    learned = codes[split.learned]
    deviation = learned.std(0)
    standardised: Array = (codes - learned.mean(0)) / np.where(deviation > 1e-9, deviation, 1.0)
    return standardised


def _check_enough(split: Halves) -> None:
    if min(len(split.learned), len(split.tried)) < 2:
        raise DataError(
            f"{len(split.learned) + len(split.tried)} codes are too few for a probe; take more by "
            "--count"
        )


def _per_cent(right: "np.ndarray[Any, np.dtype[np.bool_]]") -> Estimate:
    share = float(right.mean())
    return Estimate(100 * share, 100 * (share * (1 - share) / len(right)) ** 0.5)
