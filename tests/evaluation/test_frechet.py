"""The Fréchet distance: closed forms, singular covariances, and moments that stream."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.frechet import (
    Moments,
    frechet_distance,
    moments_of,
    trace_of_root,
)


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Moments:
    """Moments that are exactly these, as if of infinitely many images."""
    moments = Moments(len(mean))
    moments.count, moments.mean, moments.scatter = 2, mean, covariance
    return moments


def features(count: int, size: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_two_gaussians_on_the_axes_have_the_distance_of_the_closed_form() -> None:
    first = gaussian(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    second = gaussian(np.array([0.0, 0.0]), np.diag([1.0, 16.0]))
    # |μ|² + Σ (σ₁ - σ₂)²
    assert frechet_distance(first, second) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 4) ** 2)


def test_turning_both_gaussians_changes_nothing() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    first, second = np.diag([1.0, 2, 3, 4, 5, 6]), np.diag([2.0, 2, 1, 1, 0, 7])
    expected = np.sqrt(np.diag(first) * np.diag(second)).sum()
    assert trace_of_root(turn @ first @ turn.T, turn @ second @ turn.T) == pytest.approx(
        expected, rel=1e-7
    )


@pytest.mark.parametrize(
    ("first", "second"), [(200, 300), (20, 300), (300, 20), (20, 30), (2, 2)],
)  # fmt: skip
def test_it_equals_the_matrix_square_root_also_where_covariances_are_singular(
    first: int, second: int
) -> None:
    a, b = (
        moments_of(features(count, 64, seed)).covariance
        for seed, count in enumerate((first, second))
    )
    expected = np.trace(sqrtm(a @ b).real)
    assert trace_of_root(a, b) == pytest.approx(expected, rel=1e-6)


def test_a_set_is_at_distance_nothing_from_itself() -> None:
    moments = moments_of(features(100))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-9)


def test_constant_images_have_the_distance_of_their_means() -> None:
    first, second = torch.zeros(5, 3), torch.full((4, 3), 2.0)
    assert frechet_distance(moments_of(first), moments_of(second)) == pytest.approx(12)


def test_constant_images_against_varied_ones_leave_the_variance() -> None:
    varied = moments_of(features(50, 3))
    expected = np.trace(varied.covariance) + np.square(varied.mean - 1).sum()
    constant = moments_of(torch.ones(5, 3))
    assert frechet_distance(varied, constant) == pytest.approx(expected)


def test_moments_that_stream_equal_those_of_all_at_once() -> None:
    everything = features(501) * 3 + 1000  # a large mean loses digits in a naive sum of squares
    streamed = Moments(12)
    for batch in everything.split(64):
        streamed.add(batch)
    whole = everything.double().numpy()
    assert streamed.count == 501
    np.testing.assert_allclose(streamed.mean, whole.mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        streamed.covariance, np.cov(whole, rowvar=False), rtol=1e-9, atol=1e-9
    )


def test_the_batch_size_does_not_matter() -> None:
    everything = features(100)
    real = moments_of(features(80, seed=1))
    found = []
    for size in (1, 7, 100):
        moments = Moments(12)
        for batch in everything.split(size):
            moments.add(batch)
        found.append(frechet_distance(moments, real))
    assert found == pytest.approx([found[0]] * 3, rel=1e-10)


def test_moments_take_no_more_memory_for_more_images() -> None:
    moments = Moments(4)
    sizes = set()
    for batch in features(1000, 4).split(10):
        moments.add(batch)
        sizes.add(
            sum(value.nbytes for value in vars(moments).values() if isinstance(value, np.ndarray))
        )
    assert sizes == {(4 + 16) * 8}


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_are_refused(count: int) -> None:
    with pytest.raises(DataError, match="at least 2 images"):
        frechet_distance(moments_of(features(count)), moments_of(features(5)))


def test_features_that_are_not_finite_are_refused() -> None:
    broken = features(5)
    broken[3, 0] = torch.nan
    with pytest.raises(DataError, match="number 3"):
        moments_of(broken)


def test_features_of_two_extractors_are_refused() -> None:
    with pytest.raises(DataError, match="12 and of 13"):
        frechet_distance(moments_of(features(5, 12)), moments_of(features(5, 13)))
    with pytest.raises(DataError, match="do not fit"):
        Moments(12).add(features(5, 13))
