"""What generators, discriminators and encoders promise, so that they mix across plugins."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ganzoo_core.components.noise import Noise


class Generator(nn.Module):
    """A network that makes images out of latents; an autoencoder's decoder is one too.

    A subclass sets the attributes below in its constructor and implements `forward`.
    """

    latent_shape: tuple[int, ...]
    """Shape of one latent, such as `(100,)`."""
    image_shape: tuple[int, int, int]
    """Channels, height and width of one image."""
    classes: int = 0
    """How many classes it is conditioned on; 0 where it is not."""

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw latents from the prior, standard normal unless a subclass says otherwise.

        Returns:
            [count, *latent_shape]
        """
        return noise.normal(count, *self.latent_shape)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images.

        Args:
            latents: [N, *latent_shape]
            labels: [N], int64 class numbers; only where `classes` is not 0.

        Returns:
            [N, channels, height, width], in [-1, 1]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator says of a batch of images; absent parts are None or empty."""

    logits: Tensor | None
    """[N] or [N, patches…], real above 0; a critic's scores where nothing squashes them."""
    features: Tensor | None = None
    """[N, …], the activations below the last layer."""
    heads: dict[str, Tensor] = field(default_factory=dict)
    """Auxiliary outputs by name, such as class logits [N, classes]."""
    reconstruction: Tensor | None = None
    """[N, C, H, W], where the discriminator is an autoencoder."""


class Discriminator(nn.Module):
    """A network that tells real images from generated ones, or scores them."""

    image_shape: tuple[int, int, int]
    """Channels, height and width of one image."""
    classes: int = 0
    """How many classes it is conditioned on; 0 where it is not."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images.

        Args:
            images: [N, channels, height, width], in [-1, 1]
            labels: [N], int64 class numbers; only where `classes` is not 0.
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")


@dataclass(frozen=True)
class Code:
    """An encoder's answer: a point, a Gaussian or a grid of discrete codes."""

    mean: Tensor
    """[N, latent_size]: the code itself, or the mean of its Gaussian; logits of a discrete one."""
    log_variance: Tensor | None = None
    """[N, latent_size], natural logarithm; None where the code is not Gaussian."""
    indices: Tensor | None = None
    """[N, …], int64; None where the code is not discrete."""

    def draw(self, noise: Noise) -> Tensor:
        """Draw one code of each image's distribution; a point is returned as it is."""
        if self.log_variance is None:
            return self.mean
        deviation = torch.exp(0.5 * self.log_variance)
        return self.mean + deviation * noise.normal(*self.mean.shape)


class Encoder(nn.Module):
    """A network that maps images to codes."""

    image_shape: tuple[int, int, int]
    """Channels, height and width of one image."""
    latent_shape: tuple[int, ...]
    """Shape of one code."""

    def forward(self, images: Tensor) -> Code:
        """Encode images.

        Args:
            images: [N, channels, height, width], in [-1, 1]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")
