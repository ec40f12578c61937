"""Layers with an equalised learning rate (Karras et al. 2018, section 4.1).

Weights are stored with unit variance and multiplied at run time by He's constant, gain / √fan_in.
Adam moves all weights by about as much as each other, whatever their scale; so all layers learn at
the same speed, whatever their size.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

RECTIFIED = math.sqrt(2)
"""He's gain, for a layer that a rectifier follows."""


class EqualizedLinear(nn.Module):
    """x Wᵀ gain / √inputs + b, times the multiplier of the learning rate.

    Args:
        inputs: numbers of an input.
        outputs: numbers of an output.
        gain: √2 where a rectifier follows, 1 where nothing does.
        bias_init: where the biases begin.
        rate: multiplier of the learning rate of weights and biases; what they begin as stays.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        gain: float = RECTIFIED,
        bias_init: float = 0.0,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        nn.init.normal_(self.weight, 0, 1 / rate)
        nn.init.constant_(self.bias, bias_init / rate)
        self.scale = gain / math.sqrt(inputs) * rate
        self.rate = rate

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [N, …, inputs] to [N, …, outputs]."""
        bias = self.bias if self.rate == 1 else self.bias * self.rate
        return functional.linear(inputs, self.weight * self.scale, bias)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        outputs, inputs = self.weight.shape
        return f"{inputs}, {outputs}, scale={self.scale:.4g}"


class EqualizedConv2d(nn.Module):
    """A convolution of stride 1 that keeps the size, with weights W gain / (kernel √inputs).

    Args:
        inputs: feature maps that come in.
        outputs: feature maps that go out.
        kernel: side of the kernel, odd.
        gain: √2 where a rectifier follows, 1 where nothing does.
        bias: whether to add one; it begins at 0.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        gain: float = RECTIFIED,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.scale = gain / (kernel * math.sqrt(inputs))
        self.padding = kernel // 2

    def forward(self, activations: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H, W]."""
        weight = self.weight * self.scale
        return functional.conv2d(activations, weight, self.bias, padding=self.padding)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        outputs, inputs, kernel, _ = self.weight.shape
        return f"{inputs}, {outputs}, {kernel}, scale={self.scale:.4g}"
