"""Log-likelihoods: of decoders with a Gaussian code by importance weighting, and by Parzen windows.

All are in nats.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ganzoo_core.components import Code
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.metrics.common import Estimate, check_alike, checked, distance_blocks


class LatentVariableModel(Protocol):
    """A decoder p(x|z) under a standard normal prior p(z), with an encoder q(z|x)."""

    def encode(self, images: Tensor) -> Code:
        """Return the Gaussian q(z|x) of images [N, …]."""

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        """Return log p(x|z) in nats of images [N, …] and latents [N, latent_size]: [N]."""


def importance_weighted_nll(
    model: LatentVariableModel,
    images: Tensor,
    generator: torch.Generator,
    *,
    samples: int = 500,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Return the mean -log p(x), bounded by importance weighting (Burda et al. 2016, equation 8).

        -log 1/K Σₖ p(x|zₖ) p(zₖ) / q(zₖ|x),  zₖ ~ q(z|x)

    An upper bound that tightens as `samples` (K) grows.

    Args:
        model: the encoder and the decoder's likelihood.
        images: [N, …], as the model takes them.
        generator: draws the codes, on the CPU and in order, so that batches make no difference.
        samples: K, draws an image.
        batch_size: images at a time.
        progress: called with the number of images done and in all.

    Returns:
        the mean over the images in nats, and its standard error.

    Raises:
        UnsupportedError: the code is not Gaussian.
        DataError: no images, or likelihoods that are not finite.
    """
    if not len(images) or samples < 1:
        raise DataError("a likelihood needs at least 1 image and 1 sample of its code")
    bounds = []
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size]
            code = model.encode(chunk)
            if code.log_variance is None:
                raise UnsupportedError(
                    "a likelihood by importance weighting needs a Gaussian code, and this encoder "
                    "gives points"
                )
            mean, deviation = code.mean, (code.log_variance / 2).exp()
            # One draw an image: what a larger one would hold depends on its size.
            noise = torch.stack(
                [torch.randn(samples, mean.shape[1], generator=generator) for _ in chunk]
            ).to(mean)
            weights = torch.empty(samples, len(chunk), dtype=torch.float64)
            for number in range(samples):
                drawn = noise[:, number]
                latents = mean + deviation * drawn
                log_weight = (
                    model.log_likelihood(chunk, latents).double()
                    - latents.double().square().sum(1) / 2
                    + drawn.double().square().sum(1) / 2
                    + deviation.double().log().sum(1)
                )  # the 2π of prior and posterior cancel
                weights[number] = log_weight
            bounds.append(math.log(samples) - weights.logsumexp(0))
            if progress:
                progress(start + len(chunk), len(images))
    return _mean(checked(torch.cat(bounds), "log-likelihoods"))


def parzen_log_likelihood(test: Tensor, samples: Tensor, bandwidth: float) -> Estimate:
    """Return the mean log-likelihood of test images under Gaussians about samples.

        log p(x) = log 1/n Σᵢ exp(-|x - sᵢ|² / 2σ²) - d/2 log 2πσ²

    (Breuleux et al. 2011, as in Goodfellow et al. 2014, table 1.) A known poor metric in many
    dimensions (Theis et al. 2016). The published figures have pixels from 0 to 1.

    Args:
        test: [N, …]
        samples: [M, …], images of the model.
        bandwidth: σ, chosen on other images than the test's; see `parzen_bandwidth`.

    Returns:
        the mean in nats, and its standard error.

    Raises:
        DataError: no images, different shapes, or a bandwidth that is not above 0.
    """
    return _mean(_parzen_windows(test, samples, [bandwidth])[0])


def parzen_bandwidth(
    validation: Tensor, samples: Tensor, candidates: Sequence[float] | None = None
) -> float:
    """Return the bandwidth under which validation images [N, …] are most likely.

    By default one of the ten from 0.1 to 1 that the authors of the published figures tried.
    """
    tried = candidates or [10 ** (-1 + number / 9) for number in range(10)]
    means = _parzen_windows(validation, samples, tried).mean(1)
    return tried[int(means.argmax())]


def _parzen_windows(test: Tensor, samples: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Return the log-likelihood of each test image under each bandwidth: [bandwidths, N]."""
    for bandwidth in bandwidths:
        if not bandwidth > 0:
            raise DataError(f"the bandwidth of Parzen windows must be above 0, not {bandwidth}")
    check_alike(test, samples, "test images and samples")
    test, samples = (
        checked(test, "test images").flatten(1),
        checked(samples, "samples").flatten(1),
    )
    values = torch.empty(len(bandwidths), len(test), dtype=torch.float64)
    for block, distances in distance_blocks(test, samples):
        squares = distances.square_()
        for number, bandwidth in enumerate(bandwidths):
            constant = samples.shape[1] / 2 * math.log(2 * math.pi * bandwidth**2)
            exponents = squares / (-2 * bandwidth**2)
            values[number, block] = exponents.logsumexp(1) - math.log(len(samples)) - constant
    return values


def _mean(values: Tensor) -> Estimate:
    error = values.std().item() / len(values) ** 0.5 if len(values) > 1 else None
    return Estimate(values.mean().item(), error)
