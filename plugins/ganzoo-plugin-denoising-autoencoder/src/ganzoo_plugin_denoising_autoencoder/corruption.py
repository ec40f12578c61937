"""The stochastic mapping q(x̃|x) (section 3.3 of 2010), for numbers from 0 to 1."""

from torch import Tensor, contiguous_format

from ganzoo_core.components import Noise
from ganzoo_plugin_denoising_autoencoder.config import CorruptionConfig


def corrupted(clean: Tensor, config: CorruptionConfig, noise: Noise) -> Tensor:
    """Return spoilt numbers in a tensor of its own; `clean` stays as it is.

    - masking: round(ν d) of each example's d numbers, whichever, become 0;
    - salt-and-pepper: as many become 0 or 1, as a coin falls;
    - gaussian: all get noise of N(0, σ²), and may leave the range.

    Args:
        clean: [N, …] in [0, 1]
        config: the kind and its level, ν or σ.
        noise: to draw from.
    """
    if config.corruption == "gaussian":
        return clean + config.level * noise.normal(*clean.shape)
    numbers = clean.flatten(1)
    spoilt = numbers.clone(memory_format=contiguous_format)
    count = round(config.level * numbers.shape[1])
    # The smallest of as many random numbers are at places of which each is as likely as another.
    places = noise.uniform(*numbers.shape).topk(count, largest=False).indices
    if config.corruption == "masking":
        spoilt.scatter_(1, places, 0.0)
    else:
        coins = noise.integers(2, *places.shape).to(spoilt)
        spoilt.scatter_(1, places, coins)
    return spoilt.view(clean.shape)
