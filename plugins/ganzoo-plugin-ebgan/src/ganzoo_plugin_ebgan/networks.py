"""The autoencoder of section 4.3: strided convolutions down, and fractionally strided ones back.

At 64 pixels and width 64 the encoder has the 64, 128 and 256 maps of the paper, and its decoder
128, 64 and the image's channels; at 128 pixels there is one layer more on both sides. Smaller
images have three layers too, so that a code sees much of the image at once.
"""

from itertools import pairwise

from torch import Tensor, nn

from ganzoo_core.components import Discriminator, DiscriminatorOutput
from ganzoo_core.nn import init_normal
from ganzoo_plugin_ebgan.config import AutoencoderConfig


class AutoencodingDiscriminator(Discriminator):
    """Judges an image by how well it can be encoded and decoded; there are no logits."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        maps = _maps(config.width, config.image_size)
        self.encoder = nn.Sequential(
            nn.Conv2d(config.channels, maps[0], 4, 2, 1), _rectifier(config.slope)
        )
        for inputs, outputs in pairwise(maps):
            self.encoder.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
            self.encoder.append(nn.BatchNorm2d(outputs))
            self.encoder.append(_rectifier(config.slope))
        self.decoder = nn.Sequential()
        for inputs, outputs in pairwise(maps[::-1]):
            self.decoder.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
            self.decoder.append(nn.BatchNorm2d(outputs))
            self.decoder.append(_rectifier(config.slope))
        self.decoder.append(nn.ConvTranspose2d(maps[0], config.channels, 4, 2, 1))
        self.decoder.append(nn.Tanh())
        init_normal(self, config.init_deviation)  # appendix C

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: reconstructions and codes [N, maps, side, side]."""
        code = self.encoder(images)
        return DiscriminatorOutput(
            logits=None, features=code, reconstruction=self.decoder(code), images=images
        )


def _rectifier(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


def _maps(width: int, image_size: int) -> list[int]:
    """Return the numbers of feature maps from the image's side to the code's."""
    halvings = max(3, image_size.bit_length() - 4)
    return [width * 2**level for level in range(halvings)]
