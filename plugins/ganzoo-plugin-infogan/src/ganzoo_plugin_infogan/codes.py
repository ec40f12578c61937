"""The structured part of the latent: where the codes are, their prior, and how much is known."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from ganzoo_core.components import LatentCode, Noise
from ganzoo_plugin_infogan.config import CodesConfig


def codes_of(config: CodesConfig, start: int = 0) -> dict[str, LatentCode]:
    """Return the codes c1, c2, … of a latent: the categorical ones, then the continuous ones.

    Args:
        config: says how many of which there are.
        start: where the first of them begins.
    """
    codes: dict[str, LatentCode] = {}
    for size in (*config.categorical, *[0] * config.continuous):
        codes[f"c{len(codes) + 1}"] = LatentCode(start, size or 1, categorical=bool(size))
        start += size or 1
    return codes


def drawn_code(code: LatentCode, count: int, noise: Noise) -> Tensor:
    """Draw a code from its prior: one of its categories, or uniform in [-1, 1].

    Returns:
        [count, code.size]
    """
    if code.categorical:
        return one_hot(noise.integers(code.size, count), code.size).float()
    return noise.uniform(count, code.size) * 2 - 1


def recognition_size(code: LatentCode, *, learned_deviation: bool) -> int:
    """Return how many numbers Q says of a code: logits, or a mean and maybe a log-deviation."""
    return code.size if code.categorical or not learned_deviation else 2


def information(code: LatentCode, recognised: Tensor, latents: Tensor) -> Tensor:
    """Return L_I of one code in nats, equation 5: E[log Q(c|x)] + H(c), a scalar.

    Args:
        code: where it is in the latents.
        recognised: what Q says of the images that were made of `latents`: logits [N, categories];
            the mean [N, 1] of a Gaussian with deviation 1; or mean and log-deviation [N, 2].
        latents: [N, latent_size]
    """
    true = latents[:, code.start : code.start + code.size]
    if code.categorical:
        return math.log(code.size) - cross_entropy(recognised, true.argmax(1))
    mean, log_deviation = recognised[:, :1], recognised[:, 1:]
    if not log_deviation.shape[1]:
        log_deviation = torch.zeros_like(mean)
    squared = ((true - mean) * torch.exp(-log_deviation)).square()
    log_likelihood = -(squared + math.log(2 * math.pi)) / 2 - log_deviation
    # H(c) of a uniform code in [-1, 1] is log 2.
    return log_likelihood.mean() + math.log(2)


def informations(
    codes: Mapping[str, LatentCode], recognised: Mapping[str, Tensor], latents: Tensor
) -> dict[str, Tensor]:
    """Return `information` of each code, by its name."""
    return {name: information(code, recognised[name], latents) for name, code in codes.items()}
