"""What generators, discriminators and encoders promise, so that they mix across plugins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ganzoo_core.components.noise import Noise


@dataclass(frozen=True)
class LatentCode:
    """A part of the latent that has a name, so that it can be set: a class, a slant, a width."""

    start: int
    """Where it begins in a latent of shape [latent_size]."""
    size: int = 1
    """How many numbers it takes: the number of categories of a categorical code, else 1."""
    categorical: bool = False
    """Whether it is one-hot; else it is a real number."""

    def written(self, latents: Tensor, values: Tensor) -> Tensor:
        """Return latents [N, latent_size] in which this code has `values` [N]."""
        latents = latents.clone()
        its = values.to(latents).unsqueeze(1)
        if self.categorical:
            its = nn.functional.one_hot(values.long(), self.size).to(latents)
        latents[:, self.start : self.start + self.size] = its
        return latents


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
    codes: Mapping[str, LatentCode] = MappingProxyType({})
    """Named parts of the latent, where it has some."""
    linear: bool = False
    """Whether nothing bounds its images while it trains; in eval mode they are in [-1, 1]."""
    discrete: int = 0
    """How many values each number of a latent can have where these are whole, from 0, as in a grid
    of codes; 0 where they are real."""

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


class Decoder(Generator):
    """A generator that says how likely images are, as a variational autoencoder's decoder does."""

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        """Return log p(x|z) in nats.

        Args:
            images: [N, channels, height, width], in [-1, 1]
            latents: [N, *latent_shape]

        Returns:
            [N]
        """
        raise TypeError(f"{type(self).__name__} does not implement log_likelihood")


class Translator(Generator):
    """A generator whose latent is an image: it brings images of one domain to another.

    A model keeps it under the role `ab`, from the first domain to the second, or `ba`. It takes
    images of any size whose height and width are multiples of `multiple`.
    """

    multiple: int = 1

    @property
    def latent_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the images that it takes, at the size that it was trained with."""
        return self.image_shape

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Translate images.

        Args:
            latents: images of the one domain, [N, channels, height, width], in [-1, 1]
            labels: as for any generator.

        Returns:
            images of the other, of the same shape, in [-1, 1]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator says of a batch of images or codes; absent parts are None or empty."""

    logits: Tensor | None
    """[N] or [N, patches…], real above 0; a critic's scores where nothing squashes them."""
    features: Tensor | None = None
    """[N, …], the activations below the last layer."""
    heads: dict[str, Tensor] = field(default_factory=dict)
    """Auxiliary outputs by name, such as class logits [N, classes]."""
    reconstruction: Tensor | None = None
    """[N, C, H, W], where the discriminator is an autoencoder."""
    images: Tensor | None = None
    """[N, C, H, W], what was judged: beside its reconstruction, for losses that compare them."""


class Discriminator(nn.Module):
    """A network that tells real images from generated ones, or scores them."""

    image_shape: tuple[int, int, int]
    """Channels, height and width of one image."""
    classes: int = 0
    """How many classes it is conditioned on, or names in a head; 0 where there are none."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images.

        Args:
            images: [N, channels, height, width], in [-1, 1]
            labels: [N], int64 class numbers; only where `classes` is not 0.
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")


class CodeDiscriminator(nn.Module):
    """A network that judges codes: whether an encoder made them, or another distribution did."""

    latent_shape: tuple[int, ...]
    """Shape of one code."""
    classes: int = 0
    """How many classes it is conditioned on; 0 where it is not."""

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge codes.

        Args:
            codes: [N, *latent_shape]
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
    logits: Tensor | None = None
    """[N, classes], of the image's class, or else of its cluster, where the encoder names it."""
    maps: tuple[Tensor, ...] = ()
    """[N, …] each: feature maps that a decoder takes beside the code, finest first (skips)."""

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
    classes: int = 0
    """How many classes it tells apart (`Code.logits`); 0 where it names none."""
    denoises: bool = False
    """Whether it learns from images that `corrupt` has spoilt."""

    def corrupt(self, images: Tensor, noise: Noise) -> Tensor:
        """Spoil images [N, C, H, W] as a denoising autoencoder learns to undo; others keep them."""
        return images

    def forward(self, images: Tensor) -> Code:
        """Encode images.

        Args:
            images: [N, channels, height, width], in [-1, 1]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")
