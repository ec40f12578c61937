"""The generator of section 7.2: down by four, residual blocks, and up again.

Convolutions that a normalisation follows have no bias: it would take it out again.
"""

from typing import Literal

from ganzoo_plugin_pix2pix.layers import NearestConv2d, normalization_of
from torch import Tensor, nn
from torch.nn.functional import relu

from ganzoo_core.components import Translator
from ganzoo_core.errors import DataError
from ganzoo_core.nn import Dropout, init_normal
from ganzoo_plugin_cyclegan.config import ResNetConfig

SMALLEST = 8
"""Side in pixels below which there is nothing to reflect at a quarter of the resolution."""


class ResNet(Translator):
    """Translates images whose sides are multiples of four."""

    multiple = 4

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        width = config.width
        blocks = config.blocks or (9 if config.image_size >= 256 else 6)
        self.downs = nn.ModuleList(
            [
                _Same(config, config.channels, width, 7),
                _Halved(config, width, 2 * width),
                _Halved(config, 2 * width, 4 * width),
            ]
        )
        self.blocks = nn.ModuleList([_Block(config, 4 * width) for _ in range(blocks)])
        self.ups = nn.ModuleList(
            [_Doubled(config, 4 * width, 2 * width), _Doubled(config, 2 * width, width)]
        )
        self.to_image = nn.Conv2d(width, config.channels, 7, padding=3, padding_mode="reflect")
        init_normal(self, gains=True)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Translate images [N, C, H, W] in [-1, 1], their sides multiples of four.

        Raises:
            DataError: they are smaller than 8 pixels.
        """
        height, width = latents.shape[2:]
        if min(height, width) < SMALLEST:
            raise DataError(
                f"an image of {width}x{height} pixels is too small to be translated: this network "
                f"takes {SMALLEST} pixels or more either way"
            )
        activations = latents
        for down in self.downs:
            activations = relu(down(activations))
        for block in self.blocks:
            activations = block(activations)
        for up in self.ups:
            activations = relu(up(activations))
        images: Tensor = self.to_image(activations).tanh()
        return images


class _Normalized(nn.Module):
    """A convolution and what normalises it, without a rectifier."""

    def __init__(self, config: ResNetConfig, convolution: nn.Module, outputs: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.normalization = normalization_of(config.normalization, outputs)

    def forward(self, activations: Tensor) -> Tensor:
        activations = self.convolution(activations)
        return activations if self.normalization is None else self.normalization(activations)


class _Same(_Normalized):
    """At the same resolution."""

    def __init__(
        self,
        config: ResNetConfig,
        inputs: int,
        outputs: int,
        kernel: int,
        padding: Literal["reflect", "replicate", "zeros"] = "reflect",
    ) -> None:
        convolution = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            padding=kernel // 2,
            padding_mode=padding,
            bias=_biased(config),
        )
        super().__init__(config, convolution, outputs)


class _Halved(_Normalized):
    """dk: to half the resolution."""

    def __init__(self, config: ResNetConfig, inputs: int, outputs: int) -> None:
        convolution = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=_biased(config))
        super().__init__(config, convolution, outputs)


class _Doubled(_Normalized):
    """uk: to twice the resolution."""

    def __init__(self, config: ResNetConfig, inputs: int, outputs: int) -> None:
        convolution: nn.Module
        if config.upsampling == "nearest":
            convolution = NearestConv2d(inputs, outputs, 3, bias=_biased(config))
        else:
            convolution = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1, bias=_biased(config))
        super().__init__(config, convolution, outputs)


class _Block(nn.Module):
    """Rk: what it adds to its input."""

    def __init__(self, config: ResNetConfig, maps: int) -> None:
        super().__init__()
        self.first = _Same(config, maps, maps, 3, config.padding)
        self.dropout = Dropout(config.dropout)
        self.second = _Same(config, maps, maps, 3, config.padding)

    def forward(self, activations: Tensor) -> Tensor:
        added: Tensor = self.second(self.dropout(relu(self.first(activations))))
        return activations + added


def _biased(config: ResNetConfig) -> bool:
    return config.normalization == "none"
