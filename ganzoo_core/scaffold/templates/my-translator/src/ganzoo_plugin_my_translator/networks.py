"""The networks: one that translates images, and one that judges pairs of them."""

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Translator
from torch import Tensor, nn

from ganzoo_plugin_my_translator.config import (
    DiscriminatorConfig,
    TranslatorConfig,
)


class MyTranslatorNetwork(Translator):
    """Images to images of the same size, by residual blocks; any height and width will do."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.first = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(config.width) for _ in range(config.blocks))
        self.last = nn.Conv2d(config.width, config.channels, 3, padding=1)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Translate images [N, C, H, W] in [-1, 1] to images of the same shape."""
        features: Tensor = self.first(latents)
        for block in self.blocks:
            features = block(features)
        images: Tensor = self.last(features)
        return images.tanh()


class Block(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map [N, width, H, W] to the same shape."""
        changed: Tensor = features + self.layers(features)
        return changed


class MyTranslatorDiscriminator(Discriminator):
    """Judges each patch of 7×7 pixels of a pair: is this translation of that image the real one?"""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (2 * config.channels, config.image_size, config.image_size)
        self.layers = nn.Sequential(
            nn.Conv2d(2 * config.channels, config.width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(config.width, config.width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(config.width, 1, 3, padding=1),
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge pairs [N, 2 × C, H, W] in [-1, 1]: logits [N, H, W]."""
        return DiscriminatorOutput(self.layers(images).squeeze(1))
