"""How well single dimensions of a code stand for single factors of the data.

All scores lie between 0 and 1, where every factor has a dimension of its own. They take codes
[N, D] (of a Gaussian code, its means) and the factors [N, K] of the same images, as whole numbers.
Where the papers leave something open, it is as in Locatello et al. (2019).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganzoo_core.errors import DataError

Array = np.ndarray[Any, np.dtype[np.float64]]
Factors = np.ndarray[Any, np.dtype[np.int64]]

BINS = 20
"""Into how many intervals of equal width each dimension is cut for its entropy."""


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness and informativeness, each 0 to 1."""

    disentanglement: float
    completeness: float
    informativeness: float


def mutual_information_gap(codes: Array, factors: Factors) -> float:
    """Return the MIG (Chen et al. 2018, equation 6).

        1/K Σₖ (I(z₁; vₖ) - I(z₂; vₖ)) / H(vₖ)

    where z₁ and z₂ are the dimensions that tell most and second most of factor vₖ.

    Raises:
        DataError: codes and factors that do not fit, or a factor with a single value.
    """
    from sklearn.metrics import mutual_info_score

    codes, factors = _checked(codes, factors)
    binned = [_binned(column) for column in codes.T]
    gaps = []
    for factor in factors.T:
        told = sorted(float(mutual_info_score(factor, column)) for column in binned)
        entropy = float(mutual_info_score(factor, factor))
        gaps.append((told[-1] - (told[-2] if len(told) > 1 else 0.0)) / entropy)
    return float(np.mean(gaps))


def separated_attribute_predictability(
    codes: Array, factors: Factors, generator: np.random.Generator
) -> float:
    """Return the SAP score (Kumar et al. 2018, section 3).

    For each factor, the accuracy of a linear support vector machine on the one dimension that
    predicts it best less that on the second best, on the half of the images it did not learn from.

    Raises:
        DataError: codes and factors that do not fit, or a factor with a single value.
    """
    from sklearn.svm import LinearSVC

    codes, factors = _checked(codes, factors)
    learn, test = _halves(len(codes), generator)
    seed = _seed(generator)
    # Dimensions of any unit are regularised alike.
    scaled = (codes - codes.mean(0)) / np.where(codes.std(0) > 0, codes.std(0), 1)
    gaps = []
    for factor in factors.T:
        accuracies = []
        for column in scaled.T[:, :, None]:
            machine = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
            machine.fit(column[learn], factor[learn])
            accuracies.append(float(machine.score(column[test], factor[test])))
        accuracies.sort()
        gaps.append(accuracies[-1] - (accuracies[-2] if len(accuracies) > 1 else 0.0))
    return float(np.mean(gaps))


def dci(codes: Array, factors: Factors, generator: np.random.Generator) -> DCI:
    """Return disentanglement, completeness and informativeness (Eastwood and Williams 2018).

    A random forest predicts each factor from all dimensions; R[d, k] is the importance of
    dimension d for factor k. Disentanglement is 1 less the entropy of each row of R, weighted by
    the row's share; completeness is the same of the columns; informativeness is the forests' mean
    accuracy on images they did not learn from.

    Raises:
        DataError: codes and factors that do not fit, or a factor with a single value.
    """
    from sklearn.ensemble import RandomForestClassifier

    codes, factors = _checked(codes, factors)
    learn, test = _halves(len(codes), generator)
    seed = _seed(generator)
    importance = np.zeros((codes.shape[1], factors.shape[1]))
    accuracies = []
    for number, factor in enumerate(factors.T):
        forest = RandomForestClassifier(n_estimators=50, max_features=None, random_state=seed)
        forest.fit(codes[learn], factor[learn])
        importance[:, number] = forest.feature_importances_
        accuracies.append(float(forest.score(codes[test], factor[test])))
    return DCI(
        disentanglement=_concentration(importance),
        completeness=_concentration(importance.T),
        informativeness=float(np.mean(accuracies)),
    )


def factor_vae_score(
    codes: Array,
    factors: Factors,
    generator: np.random.Generator,
    *,
    votes: int = 800,
    group: int = 64,
) -> float:
    """Return the FactorVAE score (Kim and Mnih 2018, section 4).

    Of a group of images that share one factor, the dimension whose variance, relative to its
    variance over all images, is least votes for that factor. The score is the accuracy of the
    majority vote, on as many groups as it was learned from. Dimensions that never move are left
    out; where none moves, the score is that of guessing.

    Raises:
        DataError: codes and factors that do not fit, or a factor with a single value.
    """
    codes, factors = _checked(codes, factors)
    variances = codes.var(0)
    moving = variances > 1e-12
    scaled = codes[:, moving] / np.sqrt(variances[moving])

    def draw() -> tuple[int, int]:
        factor = int(generator.integers(factors.shape[1]))
        shared = _sharing(factors[:, factor], generator)
        chosen = scaled[generator.choice(shared, group)]
        return (int(chosen.var(0).argmin()) if moving.any() else 0), factor

    table = np.zeros((codes.shape[1], factors.shape[1]), dtype=int)
    for _ in range(votes):
        table[draw()] += 1
    majority = table.argmax(1)
    return float(
        np.mean(
            [majority[dimension] == factor for dimension, factor in (draw() for _ in range(votes))]
        )
    )


def beta_vae_score(
    codes: Array,
    factors: Factors,
    generator: np.random.Generator,
    *,
    points: int = 1000,
    pairs: int = 64,
) -> float:
    """Return the β-VAE score (Higgins et al. 2017, section 3).

    A linear classifier names the factor that both images of each pair share from the mean of
    |z - z'| over the pairs; the score is its accuracy on as many points as it learned from.

    Raises:
        DataError: codes and factors that do not fit, or a factor with a single value.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    codes, factors = _checked(codes, factors)

    def draw(count: int) -> tuple[Array, Factors]:
        shared_factor = generator.integers(factors.shape[1], size=count)
        means = np.empty((count, codes.shape[1]))
        for number, factor in enumerate(shared_factor):
            column = factors[:, factor]
            first = generator.integers(len(codes), size=pairs)
            second = [generator.choice(np.flatnonzero(column == column[one])) for one in first]
            means[number] = np.abs(codes[first] - codes[second]).mean(0)
        return means, shared_factor

    learn, named = draw(points)
    test, truth = draw(points)
    if len(np.unique(named)) < 2:
        raise DataError("the β-VAE score needs at least 2 factors")
    unit = np.where(learn.std(0) > 0, learn.std(0), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = LogisticRegression(max_iter=1000).fit(learn / unit, named)
    return float(classifier.score(test / unit, truth))


def _checked(codes: Array, factors: Factors) -> tuple[Array, Factors]:
    codes = np.asarray(codes, dtype=np.float64)
    factors = np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise DataError(
            f"codes of shape {list(codes.shape)} and factors of shape {list(factors.shape)} do not "
            "fit; give [N, D] and [N, K] of the same N images"
        )
    if len(codes) < 4 or 0 in (codes.shape[1], factors.shape[1]):
        raise DataError(
            f"{len(codes)} images with {codes.shape[1]} dimensions and {factors.shape[1]} factors "
            "are too few to measure disentanglement"
        )
    if not np.isfinite(codes).all():
        raise DataError("some codes are infinite or not a number; the encoder has diverged")
    if factors.dtype.kind not in "iu":
        raise DataError(f"factors must be whole numbers, and are {factors.dtype}; number them")
    for number, factor in enumerate(factors.T):
        if (factor == factor[0]).all():
            raise DataError(
                f"factor {number} has the same value in all {len(factor)} images; leave it out"
            )
    return codes, factors.astype(np.int64)


def _binned(column: Array) -> Factors:
    edges = np.histogram_bin_edges(column, BINS)
    return np.digitize(column, edges[1:-1]).astype(np.int64)


def _sharing(column: Factors, generator: np.random.Generator) -> Factors:
    """Return which images have the value of a factor that one drawn at random has."""
    return np.flatnonzero(column == column[generator.integers(len(column))])


def _concentration(importance: Array) -> float:
    """Return 1 less the entropy of each row, weighted by the row's share of the whole."""
    total = importance.sum()
    if total <= 0 or importance.shape[1] < 2:
        return 0.0 if total <= 0 else 1.0
    rows = importance.sum(1, keepdims=True)
    shares = importance / np.where(rows > 0, rows, 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropies = -(shares * logs).sum(1) / np.log(importance.shape[1])
    return float(((1 - entropies) * rows[:, 0] / total).sum())


def _halves(count: int, generator: np.random.Generator) -> tuple[Factors, Factors]:
    order = generator.permutation(count)
    return order[: count // 2], order[count // 2 :]


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))
