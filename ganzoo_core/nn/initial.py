"""How weights begin, where papers agree on it."""

from torch import nn


def init_normal(network: nn.Module, deviation: float = 0.02, *, gains: bool = False) -> None:
    """Draw the weights of all linear layers and convolutions; their biases begin at 0.

    Args:
        network: whose weights are drawn, in the order of its layers.
        deviation: of the normal distribution around 0.
        gains: draw those of batch normalisation too, around 1 with the same deviation.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif gains and isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, deviation)
            nn.init.zeros_(layer.bias)
