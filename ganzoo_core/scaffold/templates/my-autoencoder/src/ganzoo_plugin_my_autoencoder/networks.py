"""The networks: from an image down to a Gaussian code, and from a code up to an image."""

from itertools import pairwise

from ganzoo_core.components import Code, Encoder, Generator
from torch import Tensor, nn

from ganzoo_plugin_my_autoencoder.config import NetworkConfig


class MyAutoencoderEncoder(Encoder):
    """Images to the mean and the variance of a code, by strided convolutions."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        maps = _feature_maps(config.width, config.image_size)
        self.layers = nn.Sequential()
        for inputs, outputs in pairwise([config.channels, *maps]):
            self.layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
            self.layers.append(nn.SiLU())
        self.to_code = nn.Linear(maps[-1] * 4 * 4, 2 * config.latent_size)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: means and log-variances [N, latent_size]."""
        code: Tensor = self.to_code(self.layers(images).flatten(1))
        mean, log_variance = code.chunk(2, dim=1)
        return Code(mean, log_variance)


class MyAutoencoderDecoder(Generator):
    """Codes to images, the encoder's mirror image; the prior is standard normal."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        maps = _feature_maps(config.width, config.image_size)[::-1]
        self.layers = nn.Sequential(
            nn.Linear(config.latent_size, maps[0] * 4 * 4),
            nn.Unflatten(1, (maps[0], 4, 4)),
        )
        for inputs, outputs in pairwise([*maps, config.channels]):
            self.layers.append(nn.SiLU())
            self.layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))
        self.layers.append(nn.Tanh())

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of codes [N, latent_size]."""
        images: Tensor = self.layers(latents)
        return images


def _feature_maps(width: int, image_size: int) -> list[int]:
    """Return the numbers of feature maps from the image's side to the 4×4 side."""
    doublings = image_size.bit_length() - 3
    return [width * 2**level for level in range(doublings)]
