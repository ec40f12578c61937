"""The networks of table 1: G, and D with the recognition network Q upon the same trunk.

At 28 pixels they are the paper's; elsewhere the 7×7 maps in their middle are larger or smaller.
"""

import torch
from torch import Tensor, nn

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator, Noise
from ganzoo_core.nn import init_normal
from ganzoo_plugin_infogan.codes import codes_of, drawn_code, recognition_size
from ganzoo_plugin_infogan.config import InfoGANDiscriminatorConfig, InfoGANGeneratorConfig


class InfoGANGenerator(Generator):
    """G(z, c): noise and then codes to images."""

    def __init__(self, config: InfoGANGeneratorConfig) -> None:
        super().__init__()
        self.codes = codes_of(config, start=config.noise_size)
        self.noise_size = config.noise_size
        inputs = config.noise_size + sum(code.size for code in self.codes.values())
        self.latent_shape = (inputs,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        side, maps = config.image_size // 4, 2 * config.width
        self.layers = nn.Sequential(
            nn.Linear(inputs, config.hidden, bias=False),
            nn.BatchNorm1d(config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, maps * side**2, bias=False),
            nn.BatchNorm1d(maps * side**2),
            nn.ReLU(),
            nn.Unflatten(1, (maps, side, side)),
            nn.ConvTranspose2d(maps, config.width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(config.width),
            nn.ReLU(),
            nn.ConvTranspose2d(config.width, config.channels, 4, 2, 1),
        )
        init_normal(self, gains=True)  # as the authors' code

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw uniform noise in [-1, 1], and each code from its prior: [count, latent_size]."""
        parts = [noise.uniform(count, self.noise_size) * 2 - 1]
        parts += [drawn_code(code, count, noise).to(parts[0]) for code in self.codes.values()]
        return torch.cat(parts, 1)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]."""
        # tanh(x/2) is the authors' sigmoid moved from [0, 1] to [-1, 1].
        return torch.tanh(self.layers(latents) / 2)


class InfoGANDiscriminator(Discriminator):
    """D(x) and Q(c|x): images to a logit of being real, and to what the codes may have been."""

    def __init__(self, config: InfoGANDiscriminatorConfig) -> None:
        super().__init__()
        self.codes = codes_of(config)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        side, maps = config.image_size // 4, 2 * config.width
        self.trunk = nn.Sequential(
            nn.Conv2d(config.channels, config.width, 4, 2, 1),
            nn.LeakyReLU(config.slope),
            nn.Conv2d(config.width, maps, 4, 2, 1, bias=False),
            nn.BatchNorm2d(maps),
            nn.LeakyReLU(config.slope),
            nn.Flatten(),
            nn.Linear(maps * side**2, config.hidden, bias=False),
            nn.BatchNorm1d(config.hidden),
            nn.LeakyReLU(config.slope),
        )
        self.of_both = nn.Linear(config.hidden, 1 + config.recognition_width)
        self.sizes = [
            recognition_size(code, learned_deviation=config.learned_deviation)
            for code in self.codes.values()
        ]
        self.recognition = nn.Sequential(
            nn.BatchNorm1d(config.recognition_width),
            nn.LeakyReLU(config.slope),
            nn.Linear(config.recognition_width, sum(self.sizes)),
        )
        init_normal(self, gains=True)  # as the authors' code

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: logits [N], and a head for each code.

        That of a categorical code is [N, categories], logits; that of a continuous one [N, 1], the
        mean, or [N, 2], mean and log-deviation, where that is learned.
        """
        features = self.trunk((images + 1) / 2)  # the authors' pixels are in [0, 1]
        both = self.of_both(features)  # D's logit, and the layer that Q has for itself
        recognised = self.recognition(both[:, 1:]).split(self.sizes, 1)
        heads = dict(zip(self.codes, recognised, strict=True))
        return DiscriminatorOutput(both[:, 0], features, heads)
