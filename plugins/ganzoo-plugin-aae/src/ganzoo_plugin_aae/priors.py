"""The distributions that are imposed on the code (section 2.3 and figures 2 and 4).

The paper draws its mixture and its Swiss roll and gives no numbers for them; these look alike.
Both can be drawn whole, or only the part that stands for a class.
"""

import math

import torch
from torch import Tensor

from ganzoo_core.components import Noise
from ganzoo_plugin_aae.config import PriorName

RADIUS, ALONG, ACROSS = 1.4, 0.5, 0.1
"""Of the mixture: how far from the origin its Gaussians lie, and their deviations towards the
origin and across."""
TURNS, THICKNESS = 2.0, 0.02
"""Of the Swiss roll, whose outermost radius is 1."""


def mixture(parts: Tensor, of: int, noise: Noise) -> Tensor:
    """Draw from the Gaussians numbered `parts` [N] of a ring of `of`: [N, 2]."""
    offset = noise.normal(len(parts), 2)
    angle = parts * (2 * math.pi / of)
    outward = RADIUS + ALONG * offset[:, 0]
    across = ACROSS * offset[:, 1]
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return torch.stack([outward * cosine - across * sine, outward * sine + across * cosine], 1)


def swiss_roll(parts: Tensor, of: int, noise: Noise) -> Tensor:
    """Draw from the stretches numbered `parts` [N] of a roll cut into `of`: [N, 2].

    The stretches have the same length, the first one begins at the origin.
    """
    along = (parts + noise.uniform(len(parts))) / of
    # The length of a spiral grows with the square of its angle.
    radius = torch.sqrt(along)
    angle = 2 * math.pi * TURNS * radius
    roll = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], 1)
    return roll + THICKNESS * noise.normal(len(parts), 2)


def draw(
    prior: PriorName, count: int, size: int, of: int, noise: Noise, parts: Tensor | None = None
) -> Tensor:
    """Draw from a prior: [count, size].

    Args:
        prior: its name.
        count: how many.
        size: numbers of a code; 2 for all but the Gaussian.
        of: parts of the mixture or of the roll.
        noise: to draw from.
        parts: [count], int64, from which part each is drawn; by default from any.
    """
    if prior == "gaussian":
        return noise.normal(count, size)
    if parts is None:
        parts = noise.integers(of, count)
    shape = mixture if prior == "mixture" else swiss_roll
    return shape(parts.to(torch.float32), of, noise)
