"""The equations: what a code costs (appendix B), and how likely an image is (appendix C).

All are in nats for each image: summed over pixels or over a code's numbers, never averaged over
them. Pixels are on the paper's scale, from 0 to 1.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ganzoo_core.components import Code
from ganzoo_core.errors import UnsupportedError


def divergence(code: Code) -> Tensor:
    """Return KL(q(z|x) ‖ N(0, I)) of Gaussian codes, in closed form (appendix B): [N].

    Raises:
        UnsupportedError: the codes are not Gaussian.
    """
    return divergences(code).flatten(1).sum(1)


def divergences(code: Code) -> Tensor:
    """Return the divergence of each of a code's numbers, in nats: [N, latent_size].

    Raises:
        UnsupportedError: the codes are not Gaussian.
    """
    if code.log_variance is None:
        raise UnsupportedError(
            "a variational autoencoder needs an encoder with a Gaussian code, and this one gives "
            "points; choose another --encoder"
        )
    mean, log_variance = code.mean.float(), code.log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def bernoulli_log_likelihood(pixels: Tensor, logits: Tensor) -> Tensor:
    """Return Σ x log y + (1 − x) log(1 − y) with y = σ(logits) (appendix C.1, equation 11): [N].

    Args:
        pixels: [N, …] in [0, 1]; a grey one counts as the probability of a white one.
        logits: [N, …]
    """
    costs = functional.binary_cross_entropy_with_logits(
        logits.float(), pixels.float(), reduction="none"
    )
    return -costs.flatten(1).sum(1)


def gaussian_log_likelihood(pixels: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(x; μ, σ²I) (appendix C.2, equation 12): [N].

    Args:
        pixels: [N, …] in [0, 1]
        mean: [N, …]
        log_variance: of the same shape, natural logarithm.
    """
    mean, log_variance = mean.float(), log_variance.float()
    squares = (pixels.float() - mean).square() * torch.exp(-log_variance)
    return -0.5 * (squares + log_variance + math.log(2 * math.pi)).flatten(1).sum(1)
