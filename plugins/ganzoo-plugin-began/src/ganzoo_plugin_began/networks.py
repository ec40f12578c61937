"""The networks of section 3.5: 3×3 convolutions and ELUs between an image and a cube of 8×8.

Down they go by stride 2, up by nearest neighbours. A linear layer without any rectifier joins the
cube to the code. The decoder and the generator are alike.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator, Noise
from ganzoo_plugin_began.config import BEGANAutoencoderConfig, BEGANGeneratorConfig

CUBE = 8
"""Side of the lowest resolution, whatever the image's."""


class BEGANGenerator(Generator):
    """Latents to images."""

    def __init__(self, config: BEGANGeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.decoder = Decoder(config.latent_size, config)
        _init_glorot(self)

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw uniformly from [-1, 1]: [count, latent_size]."""
        return noise.uniform(count, *self.latent_shape) * 2 - 1

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] of latents [N, latent_size], cut off at -1 and 1."""
        images: Tensor = self.decoder(latents).clamp(-1, 1)
        return images


class BEGANAutoencoder(Discriminator):
    """Judges an image by how well it can be encoded and decoded; there are no logits."""

    def __init__(self, config: BEGANAutoencoderConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        residual = config.vanishing_residuals
        layers: list[nn.Module] = [Layer(config.channels, config.width)]
        inputs, levels = config.width, _levels(config.image_size)
        for level in range(1, levels + 1):
            outputs = config.width * level
            for _ in range(config.repeats - 1):
                layers.append(Layer(inputs, outputs, residual=residual))
                inputs = outputs
            stride = 2 if level < levels else 1
            layers.append(Layer(inputs, outputs, stride=stride, residual=residual))
            inputs = outputs
        self.encoder = nn.Sequential(*layers)
        self.to_code = nn.Linear(inputs * CUBE**2, config.hidden_size)
        self.decoder = Decoder(config.hidden_size, config)
        _init_glorot(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: reconstructions and codes [N, hidden_size]."""
        code = self.to_code(self.encoder(images).flatten(1))
        return DiscriminatorOutput(
            logits=None, features=code, reconstruction=self.decoder(code), images=images
        )


class Decoder(nn.Module):
    """Codes to images that nothing keeps within [-1, 1]."""

    def __init__(
        self, code_size: int, config: BEGANGeneratorConfig | BEGANAutoencoderConfig
    ) -> None:
        super().__init__()
        self.width = config.width
        self.skip_connections = config.skip_connections
        self.to_cube = nn.Linear(code_size, config.width * CUBE**2)
        self.levels = nn.ModuleList()
        for level in range(_levels(config.image_size)):
            shown_again = level > 0 and config.skip_connections
            inputs = config.width * (2 if shown_again else 1)
            layers = nn.Sequential()
            for _ in range(config.repeats):
                layers.append(Layer(inputs, config.width, residual=config.vanishing_residuals))
                inputs = config.width
            self.levels.append(layers)
        self.to_image = nn.Conv2d(config.width, config.channels, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        """Map [N, code_size] to [N, C, H, W]."""
        cube = self.to_cube(codes).view(-1, self.width, CUBE, CUBE)
        activations = cube
        for number, level in enumerate(self.levels):
            if number:
                activations = functional.interpolate(activations, scale_factor=2.0)
                if self.skip_connections:
                    again = functional.interpolate(cube, scale_factor=2.0**number)
                    activations = torch.cat([activations, again], 1)
            activations = level(activations)
        images: Tensor = self.to_image(activations)
        return images


class Layer(nn.Module):
    """A 3×3 convolution and its ELU, with a shortcut around them where sizes are equal."""

    carry: Tensor | None
    """Share of the input in the output, from 1 to 0; None where there is no shortcut."""

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        shortcut = residual and inputs == outputs and stride == 1
        self.register_buffer("carry", torch.tensor(0.0) if shortcut else None)

    def forward(self, activations: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        transformed = functional.elu(self.convolution(activations))
        if self.carry is None:
            return transformed
        return self.carry * activations + (1 - self.carry) * transformed


def _levels(image_size: int) -> int:
    """Return how many resolutions there are from the image's to 8×8."""
    return image_size.bit_length() - CUBE.bit_length() + 1


def _init_glorot(network: nn.Module) -> None:
    """Let signals keep their size from layer to layer (Glorot and Bengio 2010).

    PyTorch's own rule shrinks them, and without normalisation the latents would hardly reach the
    image: the generator begins with a single one.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
