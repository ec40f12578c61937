"""Dropout that draws from explicit noise."""

from torch import Tensor

from ganzoo_core.components.noise import NoisyModule


class Dropout(NoisyModule):
    """Dropout (Srivastava et al. 2014): zero each activation with `probability`, scale the rest.

    Unlike `torch.nn.Dropout` it draws from the noise that `drawing_from` gives its network, so
    that runs repeat and global random state stays untouched.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, activations: Tensor) -> Tensor:
        """Return activations of the same shape, [N, …]; unchanged in eval mode."""
        if not self.training or self.probability == 0:
            return activations
        kept = self.drawn_from().uniform(*activations.shape) >= self.probability
        return activations * kept / (1 - self.probability)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"probability={self.probability}"
