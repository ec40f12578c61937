"""Noise on activations that draws from explicit noise."""

from torch import Tensor

from ganzoo_core.components.noise import NoisyModule


class GaussianNoise(NoisyModule):
    """Add noise of N(0, `deviation`²) to activations while training.

    It draws from the noise that `drawing_from` gives its network, so that runs repeat and global
    random state stays untouched.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, activations: Tensor) -> Tensor:
        """Return activations of the same shape, [N, …]; unchanged in eval mode."""
        if not self.training or self.deviation == 0:
            return activations
        return activations + self.deviation * self.drawn_from().normal(*activations.shape)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"deviation={self.deviation}"
