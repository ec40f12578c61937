"""Likelihoods against distributions whose likelihood is known."""

import math

import pytest
import torch
from torch import Tensor

from ganzoo_core.components import Code
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.metrics.likelihood import (
    importance_weighted_nll,
    parzen_bandwidth,
    parzen_log_likelihood,
)

SIGMA = 0.5
WEIGHTS = torch.tensor([[1.0, 0.3], [-0.5, 2.0], [0.7, 0.7]])


class LinearGaussian:
    """x = Wz + σε; the posterior and the marginal N(0, WWᵀ + σ²) are known."""

    def __init__(self, widen: float = 1.0) -> None:
        precision = torch.eye(2) + WEIGHTS.T @ WEIGHTS / SIGMA**2
        self.covariance = torch.linalg.inv(precision)
        self.widen = widen

    def encode(self, images: Tensor) -> Code:
        mean = images @ WEIGHTS @ self.covariance / SIGMA**2
        variance = self.covariance.diagonal() * self.widen
        return Code(mean, variance.log().expand_as(mean))

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        errors = (images - latents @ WEIGHTS.T).square().sum(1) / SIGMA**2
        return -errors / 2 - 1.5 * math.log(2 * math.pi * SIGMA**2)


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(40, 2, generator=generator)
    return latents @ WEIGHTS.T + SIGMA * torch.randn(40, 3, generator=generator)


def exact(images: Tensor) -> float:
    marginal = torch.distributions.MultivariateNormal(
        torch.zeros(3), WEIGHTS @ WEIGHTS.T + SIGMA**2 * torch.eye(3)
    )
    return -float(marginal.log_prob(images).mean())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_importance_weighting_finds_the_marginal_likelihood_of_a_linear_gaussian_model(
    images: Tensor,
) -> None:
    found = importance_weighted_nll(LinearGaussian(widen=1.5), images, seeded(), samples=3000)
    assert found.value == pytest.approx(exact(images), abs=0.02)


def test_the_bound_tightens_with_more_samples(images: Tensor) -> None:
    bounds = [
        importance_weighted_nll(LinearGaussian(widen=3), images, seeded(), samples=count).value
        for count in (1, 10, 1000)
    ]
    assert bounds[0] > bounds[1] > bounds[2] > exact(images) - 0.05


def test_batches_make_no_difference_to_the_likelihood(images: Tensor) -> None:
    found = [
        importance_weighted_nll(LinearGaussian(), images, seeded(), samples=20, batch_size=size)
        for size in (1, 7, 40)
    ]
    assert [each.value for each in found] == pytest.approx([found[0].value] * 3, rel=1e-6)


def test_a_code_that_is_a_point_has_no_likelihood(images: Tensor) -> None:
    class Pointwise(LinearGaussian):
        def encode(self, images: Tensor) -> Code:
            return Code(images[:, :2])

    with pytest.raises(UnsupportedError, match="Gaussian code"):
        importance_weighted_nll(Pointwise(), images, seeded())


def test_a_decoder_that_diverged_is_said_to(images: Tensor) -> None:
    images[5] = torch.nan
    with pytest.raises(DataError, match="number 5"):
        importance_weighted_nll(LinearGaussian(), images, seeded(), samples=2)


def test_parzen_windows_about_one_sample_are_that_gaussian() -> None:
    sample, test = torch.zeros(1, 3), torch.tensor([[1.0, 0, 0], [0, 2, 0]])
    expected = [
        -(square / (2 * 0.25)) - 1.5 * math.log(2 * math.pi * 0.25) for square in (1.0, 4.0)
    ]
    found = parzen_log_likelihood(test, sample, 0.5)
    assert found.value == pytest.approx(sum(expected) / 2, rel=1e-6)


def test_parzen_windows_about_many_samples_approach_the_known_entropy() -> None:
    samples = torch.randn(20_000, 1, generator=seeded())
    test = torch.randn(2_000, 1, generator=seeded(1))
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert parzen_log_likelihood(test, samples, 0.1).value == pytest.approx(-entropy, abs=0.06)


def test_the_bandwidth_is_chosen_by_likelihood() -> None:
    samples, validation = (torch.randn(50, 2, generator=seeded(seed)) for seed in (0, 1))
    assert parzen_bandwidth(validation, samples, [0.001, 0.5, 50.0]) == 0.5


def test_a_bandwidth_of_nothing_and_images_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match="above 0"):
        parzen_log_likelihood(torch.zeros(2, 3), torch.zeros(2, 3), 0)
    with pytest.raises(DataError, match="differ in shape"):
        parzen_log_likelihood(torch.zeros(2, 3), torch.zeros(2, 4), 0.1)
