"""What tests of the authors' published files share: sample files, random weights, images."""

from pathlib import Path

import torch
from torch import Tensor, nn

SAMPLES = Path(__file__).parents[2] / "shared" / "checkpoints"


def images(*shape: int, seed: int = 0) -> Tensor:
    """Draw images in [-1, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network weights in [-0.5, 0.5], and gains and variances around 1."""
    drawn = random_state({name: each.shape for name, each in network.state_dict().items()}, seed)
    whole = {name: each for name, each in network.state_dict().items() if each.dim() == 0}
    network.load_state_dict(drawn | whole)
    return network.eval()


def random_state(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Draw a state dict: weights in [-0.5, 0.5], gains and variances around 1."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(shape, generator=generator)
        + (0.5 if len(shape) == 1 and "bias" not in name else -0.5)
        for name, shape in shapes.items()
    }


def sample(file: Path) -> Tensor:
    """Read an input or an expected output."""
    found = torch.load(file, weights_only=True)
    return next(iter(found.values())) if isinstance(found, dict) else found
