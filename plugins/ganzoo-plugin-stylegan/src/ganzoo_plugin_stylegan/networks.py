"""The style-based generator of figure 1b, and the discriminator that it learns against."""

from itertools import pairwise

import torch
from ganzoo_plugin_progan.growing import Growing, enlarged
from ganzoo_plugin_progan.networks import ProGANDiscriminator
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import DiscriminatorOutput, MappedGenerator, NoiseMode, NoisyModule
from ganzoo_core.nn import EqualizedConv2d, EqualizedLinear, PixelNorm
from ganzoo_plugin_stylegan.config import StyleGANDiscriminatorConfig, StyleGANGeneratorConfig

SMALLEST = 4
"""Side in pixels of the constant that it all begins with."""
SLOPE = 0.2
"""Of the leaky ReLU below zero."""


class StyleGenerator(MappedGenerator, Growing):
    """G(z): z is mapped to a style w, which steers every layer of a network over a constant.

    While it trains it does by itself what section 3.1 and appendix B ask for: it tracks the mean of
    w, and makes a share of its images of two styles; its images have the size that it has grown to
    and any values. In eval mode they are enlarged to the full size and clamped.
    """

    linear = True

    def __init__(self, config: StyleGANGeneratorConfig) -> None:
        super().__init__()
        maps = config.maps_at()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        self.style_size = config.style_size
        self.style_layers = 2 * len(maps)
        self.style_decay = config.style_decay
        self.truncation_cutoff = config.truncation_cutoff
        self.mapping = Mapping(config)
        self.mixing = StyleMixing(config.mixing)
        self.constant = nn.Parameter(torch.ones(1, maps[0], SMALLEST, SMALLEST))
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, SMALLEST << level, config)
            for level, (inputs, outputs) in enumerate(zip((0, *maps), maps, strict=False))
        )
        self.to_image = nn.ModuleList(
            EqualizedConv2d(each, config.channels, 1, gain=1) for each in maps
        )
        self.register_buffer("style_mean", torch.zeros(config.style_size))
        self.start_grown()

    def map(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the styles [N, style_size] of latents [N, latent_size] and labels [N]."""
        styles: Tensor = self.mapping(latents, labels)
        return styles

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images of latents [N, latent_size]: [N, C, size, size], as the class says."""
        styles = self.map(latents, labels)
        if self.training:
            self._track(styles)
            styles = self.mixing(self, styles, labels)
        return self.synthesize(styles)

    def synthesize(self, styles: Tensor, noise: NoiseMode = "drawn") -> Tensor:
        """Make images of styles [N, style_size] or [N, style_layers, style_size], as `forward`."""
        images = self.drawn(styles, noise)
        return images if self.training else enlarged(images, self.level()[0]).clamp(-1, 1)

    def drawn(self, styles: Tensor, noise: NoiseMode = "drawn") -> Tensor:
        """Make images of any values, at the size that it has grown to."""
        doublings, fraction = self.level()
        top = len(self.blocks) - 1 - doublings
        styles = self.broadcast(styles)
        below = maps = self.constant.expand(len(styles), -1, -1, -1)
        for level, block in enumerate(self.blocks[: top + 1]):
            mode = self._noise_of(level, noise)
            below, maps = maps, block(maps, styles[:, 2 * level], styles[:, 2 * level + 1], mode)
        images: Tensor = self.to_image[top](maps)
        if fraction:
            images = torch.lerp(images, enlarged(self.to_image[top - 1](below)), fraction)
        return images

    @torch.no_grad()
    def _track(self, styles: Tensor) -> None:
        self.style_mean.lerp_(styles.float().mean(0), 1 - self.style_decay)

    def _noise_of(self, level: int, mode: NoiseMode) -> NoiseMode:
        """Return how the block of a resolution adds noise: drawn, fixed or none."""
        if mode in ("coarse", "fine"):
            # Figure 5 calls 4² to 32² coarse, four of nine resolutions.
            is_coarse = level < len(self.blocks) // 2
            return "drawn" if is_coarse == (mode == "coarse") else "none"
        return mode


class Mapping(nn.Module):
    """f(z): a deep perceptron from the latent, brought to unit length, to the style."""

    def __init__(self, config: StyleGANGeneratorConfig) -> None:
        super().__init__()
        sizes = [config.latent_size * (2 if config.classes else 1)]
        sizes += [config.mapping_width] * (config.mapping_layers - 1) + [config.style_size]
        self.layers = nn.ModuleList(
            EqualizedLinear(inputs, outputs, rate=config.mapping_rate)
            for inputs, outputs in pairwise(sizes)
        )
        self.normalize = PixelNorm()
        self.embedding: nn.Parameter | None = None
        if config.classes:
            self.embedding = nn.Parameter(torch.randn(config.classes, config.latent_size))

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents [N, latent_size] and labels [N] to [N, style_size]."""
        if self.embedding is not None:
            assert labels is not None
            latents = torch.cat([latents, self.embedding[labels]], 1)
        styles: Tensor = self.normalize(latents)
        for layer in self.layers:
            styles = functional.leaky_relu(layer(styles), SLOPE)
        return styles


class StyleMixing(NoisyModule):
    """Mixing regularisation (section 3.1): a second style from a random layer on."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, generator: StyleGenerator, styles: Tensor, labels: Tensor | None) -> Tensor:
        """Return styles [N, style_layers, style_size] of which a share is mixed."""
        if not self.share:
            return generator.broadcast(styles)
        noise, count = self.drawn_from(), len(styles)
        others = generator.map(generator.latents(count, noise).to(styles), labels)
        layers = generator.style_layers - 2 * generator.level()[0]
        chosen = noise.uniform(count) < self.share
        crossover = 1 + noise.integers(layers - 1, count)
        crossover = torch.where(chosen, crossover, generator.style_layers)
        own = torch.arange(generator.style_layers, device=styles.device) < crossover[:, None]
        return torch.where(own[:, :, None], styles[:, None], others[:, None])


class Block(nn.Module):
    """The layers of one resolution: the constant or an upscaling convolution, then another one."""

    def __init__(
        self, inputs: int, outputs: int, size: int, config: StyleGANGeneratorConfig
    ) -> None:
        super().__init__()
        self.up = None
        if size > SMALLEST:
            self.up = UpConvolution(inputs, outputs)
        self.blurs_bias = config.bias_before_blur and size > SMALLEST
        self.first = Styled(outputs, config)
        self.convolution = EqualizedConv2d(outputs, outputs, 3, bias=False)
        self.second = Styled(outputs, config)
        self.noises = nn.ModuleList(
            PixelNoise(size) for _ in range(1 if config.shared_noise else 2)
        )

    def forward(self, maps: Tensor, first: Tensor, second: Tensor, mode: NoiseMode) -> Tensor:
        """Map [N, inputs, size / 2, size / 2] to [N, outputs, size, size]."""
        bias = self.first.bias
        if self.up is not None:
            maps = self.up(maps, bias if self.blurs_bias else None)
        noise = self.noises[0](len(maps), mode)
        maps = self.first(maps, first, noise, None if self.blurs_bias else bias)
        maps = self.convolution(maps)
        if len(self.noises) > 1:
            noise = self.noises[1](len(maps), mode)
        answer: Tensor = self.second(maps, second, noise, self.second.bias)
        return answer


class UpConvolution(nn.Module):
    """Nearest upscaling, a convolution of 3×3 and a blur of [1, 2, 1], the first two in one.

    Repeating pixels and then convolving them by 3×3 is a transposed convolution by 4×4, of less
    than half the work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = EqualizedConv2d(inputs, outputs, 3, bias=False)

    def forward(self, maps: Tensor, bias: Tensor | None) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, 2·H, 2·W]; the bias [outputs] is blurred too."""
        weight = (self.convolution.weight * self.convolution.scale).flip(2, 3).transpose(0, 1)
        return blur(functional.conv_transpose2d(maps, doubled(weight), bias, stride=2, padding=1))


class PixelNoise(NoisyModule):
    """Noise for each pixel of a layer: drawn, or a map that is the same for all images."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.fixed: Tensor
        self.register_buffer("fixed", torch.randn(1, 1, size, size))

    def forward(self, count: int, mode: NoiseMode) -> Tensor | None:
        """Return noise [count or 1, 1, size, size]; None where there is to be none."""
        if mode == "none":
            return None
        if mode == "fixed":
            return self.fixed
        return self.drawn_from().normal(count, 1, self.size, self.size)


class Styled(nn.Module):
    """What follows every convolution: noise, bias, leaky ReLU and AdaIN (equation 1)."""

    def __init__(self, width: int, config: StyleGANGeneratorConfig) -> None:
        super().__init__()
        self.epsilon = config.epsilon
        self.strength = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.style = EqualizedLinear(config.style_size, 2 * width, gain=1)

    def forward(
        self, maps: Tensor, style: Tensor, noise: Tensor | None, bias: Tensor | None
    ) -> Tensor:
        """Map [N, width, H, W] with a style [N, style_size] to as many."""
        if noise is not None:
            maps = torch.addcmul(maps, self.strength.view(-1, 1, 1), noise.to(maps))
        if bias is not None:
            maps = maps + bias.view(-1, 1, 1)
        maps = functional.leaky_relu(maps, SLOPE)
        maps = functional.instance_norm(maps, eps=self.epsilon)
        scale, shift = self.style(style)[:, :, None, None].chunk(2, 1)
        return torch.addcmul(shift, maps, scale + 1)


class StyleDiscriminator(ProGANDiscriminator):
    """ProGAN's discriminator with blurs before it shrinks, and a score for each class."""

    def __init__(self, config: StyleGANDiscriminatorConfig) -> None:
        super().__init__(config)
        self.to_logits = EqualizedLinear(config.maps_at()[0], max(config.classes, 1), gain=1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] as what labels [N] say, where there are classes: scores [N]."""
        features = self.features(images)
        scores = self.to_logits(features)
        if self.classes:
            assert labels is not None
            scores = scores.gather(1, labels[:, None])
        return DiscriminatorOutput(scores[:, 0], features)

    def shrinking(self, inputs: int, outputs: int) -> nn.Module:
        """Return a block from feature maps of one size to those of half of it."""
        return Shrinking(inputs, outputs)


class Shrinking(nn.Module):
    """A convolution, a blur of [1, 2, 1], and another convolution whose averages are taken.

    Convolving by 3×3 and averaging squares of two pixels is a convolution by 4×4 at every second
    pixel, of less than half the work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(inputs, inputs, 3)
        self.second = EqualizedConv2d(inputs, outputs, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / 2, W / 2]."""
        maps = blur(functional.leaky_relu(self.first(maps), SLOPE))
        weight = doubled(self.second.weight * (self.second.scale / 4))
        maps = functional.conv2d(maps, weight, self.second.bias, stride=2, padding=1)
        return functional.leaky_relu(maps, SLOPE)


def doubled(kernel: Tensor) -> Tensor:
    """Return a kernel [A, B, 3, 3] convolved with 2×2 ones: [A, B, 4, 4]."""
    padded = functional.pad(kernel, (1, 1, 1, 1))
    rows = padded[:, :, 1:] + padded[:, :, :-1]
    return rows[:, :, :, 1:] + rows[:, :, :, :-1]


def blur(maps: Tensor) -> Tensor:
    """Smooth maps [N, C, H, W] by [1, 2, 1] both ways, with zeros beyond the border."""
    taps = torch.tensor([1.0, 2.0, 1.0], device=maps.device, dtype=maps.dtype) / 4
    kernel = torch.outer(taps, taps).expand(maps.shape[1], 1, 3, 3)
    return functional.conv2d(maps, kernel, padding=1, groups=maps.shape[1])
