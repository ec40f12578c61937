"""Generators with an intermediate latent space, and how their images may be rendered."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ganzoo_core.components.networks import Generator

NoiseMode = Literal["drawn", "fixed", "none", "coarse", "fine"]
"""Which layers of a generator add noise: all, drawn for each image or the same for all images; no
layer; only those of the lower half of the resolutions; only those of the upper half."""
NOISE_MODES: tuple[NoiseMode, ...] = get_args(NoiseMode)


class MappedGenerator(Generator):
    """A generator that maps its latent z to an intermediate one, the style w, and draws from that.

    Every layer of the drawing part takes a style: the same w for all layers, or one for each, which
    is the space W+. A subclass sets the attributes below and implements `map` and `synthesize`.
    """

    style_size: int
    """How many numbers a style has."""
    style_layers: int
    """How many layers take one."""
    style_mean: Tensor
    """[style_size], a buffer: the mean of the styles that were seen in training."""
    truncation_cutoff: int | None = None
    """How many layers, from the first on, truncation reaches where nothing else is said; None for
    all."""

    def map(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the styles of latents [N, *latent_shape] and labels [N]: [N, style_size]."""
        raise TypeError(f"{type(self).__name__} does not implement map")

    def synthesize(self, styles: Tensor, noise: NoiseMode = "drawn") -> Tensor:
        """Make images of styles, [N, style_size] or [N, style_layers, style_size].

        Returns:
            [N, channels, height, width], in [-1, 1]
        """
        raise TypeError(f"{type(self).__name__} does not implement synthesize")

    def broadcast(self, styles: Tensor) -> Tensor:
        """Give every layer its style.

        Args:
            styles: [N, style_size], or [N, style_layers, style_size], which stays as it is.

        Returns:
            [N, style_layers, style_size]
        """
        if styles.dim() == 3:
            return styles
        return styles.unsqueeze(1).expand(-1, self.style_layers, -1)

    def truncated(self, styles: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        """Move styles towards their mean: w' = w̄ + ψ·(w − w̄).

        Args:
            styles: [N, style_size] or [N, style_layers, style_size]
            psi: 1 leaves them as they are, 0 gives the mean.
            cutoff: how many layers, from the first on; `truncation_cutoff` unless given.

        Returns:
            [N, style_layers, style_size]
        """
        styles = self.broadcast(styles)
        reached = self.truncation_cutoff if cutoff is None else cutoff
        factors = torch.ones(self.style_layers, 1, device=styles.device, dtype=styles.dtype)
        factors[:reached] = psi
        return torch.lerp(self.style_mean.to(styles), styles, factors)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] of latents [N, *latent_shape] and labels [N]."""
        return self.synthesize(self.map(latents, labels))


@dataclass(frozen=True)
class Rendering:
    """How images are made of styles, where that is not as in training."""

    truncation: float = 1.0
    """ψ of `MappedGenerator.truncated`."""
    cutoff: int | None = None
    noise: NoiseMode = "drawn"

    def of(self, generator: Generator, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Make images of latents by a generator, which must be mapped to render otherwise."""
        if isinstance(generator, MappedGenerator) and self != Rendering():
            return self.of_styles(generator, generator.map(latents, labels))
        images: Tensor = generator(latents) if labels is None else generator(latents, labels)
        return images

    def of_styles(self, generator: MappedGenerator, styles: Tensor) -> Tensor:
        """Make images of styles [N, style_size] or [N, style_layers, style_size]."""
        if self.truncation != 1:
            styles = generator.truncated(styles, self.truncation, self.cutoff)
        return generator.synthesize(styles, self.noise)
