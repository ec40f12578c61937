"""The Fréchet distance between Gaussians, from moments that are gathered as images stream by."""

from typing import Any

import numpy as np
from torch import Tensor

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import checked

Array = np.ndarray[Any, np.dtype[np.float64]]


class Moments:
    """Mean and covariance of features, in float64; their memory is that of one covariance.

    Batches are merged by the update of Chan, Golub and LeVeque (1979), which loses no digits where
    the mean is large beside the deviations.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean: Array = np.zeros(size)
        self.scatter: Array = np.zeros((size, size))
        """Sum of the outer products of deviations from the mean."""

    @property
    def covariance(self) -> Array:
        """[D, D], with the divisor N - 1.

        Raises:
            DataError: there are fewer than two images.
        """
        if self.count < 2:
            raise DataError(
                f"a covariance needs at least 2 images, and there are only {self.count}"
            )
        covariance: Array = self.scatter / (self.count - 1)
        return covariance

    def add(self, features: Tensor) -> "Moments":
        """Take in the features [N, D] of a batch; returns the moments themselves.

        Raises:
            DataError: features that are not finite, or not as many as before.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise DataError(
                f"features of shape {list(features.shape)} do not fit moments of {len(self.mean)}"
            )
        if not len(features):
            return self
        batch = checked(features, "features").numpy()
        count, mean = len(batch), batch.mean(0)
        deviations, shift = batch - mean, mean - self.mean
        total = self.count + count
        self.scatter += deviations.T @ deviations
        self.scatter += np.outer(shift, shift) * (self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total
        return self


def moments_of(features: Tensor) -> Moments:
    """Return the moments of features [N, D] that are in memory."""
    return Moments(features.shape[1]).add(features)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return the squared Fréchet distance of two Gaussians (Dowson and Landau 1982).

        d² = |μ₁ - μ₂|² + tr C₁ + tr C₂ - 2 tr (C₁C₂)^½

    Over the features of a network this is the FID (Heusel et al. 2017, equation 6).

    Raises:
        DataError: either has fewer than two images, or they are of different features.
    """
    if len(first.mean) != len(second.mean):
        raise DataError(
            f"moments of {len(first.mean)} and of {len(second.mean)} features have no distance"
        )
    between = float(np.square(first.mean - second.mean).sum())
    within = float(np.trace(first.covariance) + np.trace(second.covariance))
    return max(0.0, between + within - 2 * trace_of_root(first.covariance, second.covariance))


def trace_of_root(first: Array, second: Array) -> float:
    """Return tr (C₁C₂)^½ of two covariances [D, D] without taking a matrix's square root.

    With C = LLᵀ, the eigenvalues of C₁C₂ other than 0 are those of MMᵀ, where M = L₁ᵀL₂: they are
    the squared singular values of M. The Cholesky factors are pivoted and stop where nothing is
    left (Higham 1990), so that a singular covariance has a thin factor instead of none: the null
    space, where rounding would be magnified by the root, never enters.
    """
    from scipy.linalg import eigh

    factor = _thin_factor(first).T @ _thin_factor(second)
    if 0 in factor.shape:
        return 0.0
    gram = factor @ factor.T if factor.shape[0] <= factor.shape[1] else factor.T @ factor
    eigenvalues = eigh(gram, eigvals_only=True, overwrite_a=True, check_finite=False)
    return float(np.sqrt(eigenvalues.clip(min=0)).sum())


def _thin_factor(covariance: Array) -> Array:
    """Return L [D, rank] with C = LLᵀ."""
    from scipy.linalg.lapack import dpstrf

    largest = covariance.diagonal().max(initial=0.0)
    if largest <= 0:
        return np.zeros((len(covariance), 0))
    factor, pivots, rank, _ = dpstrf(covariance, lower=1, tol=np.finfo(np.float64).eps * largest)
    unpivoted = np.empty((len(covariance), rank))
    unpivoted[pivots - 1] = np.tril(factor)[:, :rank]
    return unpivoted
