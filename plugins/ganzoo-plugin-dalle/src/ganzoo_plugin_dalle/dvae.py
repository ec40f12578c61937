"""The discrete autoencoder of section 2.1 and appendix A: images as a grid of codes."""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import Code, Encoder, Generator, Noise
from ganzoo_plugin_dalle.config import DVAEConfig, DVAEDecoderConfig, GridConfig


class CodeEncoder(Encoder):
    """q(z|x): logits of K codes at each place of the grid, as subclasses' `logits` has them."""

    def __init__(self, config: GridConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.side, config.side)
        self.codes = config.codes

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits [N, K, h, w] of images [N, C, H, W] in [-1, 1]."""
        raise TypeError(f"{type(self).__name__} does not implement logits")

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: logits [N, K, h, w] and codes [N, h, w]."""
        logits = self.logits(images)
        return Code(logits, indices=logits.argmax(1))


class CodeDecoder(Generator):
    """p(x|z), as subclasses' `statistics` have it, and the uniform prior over codes."""

    def __init__(self, config: GridConfig, likelihood: str, epsilon: float = 0.0) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.side, config.side)
        self.discrete = config.codes
        self.likelihood = likelihood
        self.epsilon = epsilon

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw codes from the uniform prior: [count, h, w], int64."""
        return noise.integers(self.discrete, count, *self.latent_shape)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode codes [N, h, w], int64: the mode of p(x|z), [N, C, H, W] in [-1, 1]."""
        shares = functional.one_hot(latents, self.discrete).permute(0, 3, 1, 2)
        return self.mode(self.statistics(shares.to(next(self.parameters()).dtype)))

    def statistics(self, shares: Tensor) -> Tensor:
        """Return the parameters of p(x|z) for shares of each code [N, K, h, w], which sum to 1.

        Returns:
            [N, 2C, H, W], μ and ln b, of the logit-Laplace likelihood; else the images [N, C, H, W]
        """
        raise TypeError(f"{type(self).__name__} does not implement statistics")

    def mode(self, statistics: Tensor) -> Tensor:
        """Return the images [N, C, H, W] in [-1, 1] that `statistics` hold for likeliest."""
        if self.likelihood != "logit-laplace":
            return statistics.clamp(-1, 1)
        mean, _ = statistics.chunk(2, dim=1)
        return unsqueezed(torch.sigmoid(mean), self.epsilon)

    def negative_log_likelihood(self, images: Tensor, statistics: Tensor) -> Tensor:
        """Return -log p(x|z) in nats a number of an image, a mean over all of them.

        Of `l1` and `l2` it is the absolute or squared error of pixels from 0 to 1.
        """
        if self.likelihood == "l1":
            return (images - statistics).abs().mean() / 2
        if self.likelihood == "l2":
            return (images - statistics).square().mean() / 4
        mean, log_scale = statistics.float().chunk(2, dim=1)
        return logit_laplace(squeezed(images.float(), self.epsilon), mean, log_scale).mean()


class DVAEEncoder(CodeEncoder):
    """The paper's encoder."""

    def __init__(self, config: DVAEConfig) -> None:
        super().__init__(config)
        self.epsilon = config.epsilon
        layers = config.groups * config.blocks
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        blocks["input"] = nn.Conv2d(config.channels, config.width, 7, padding=3)
        width = config.width
        for group in range(config.groups):
            wider = config.width * 2**group
            its: OrderedDict[str, nn.Module] = OrderedDict()
            for block in range(config.blocks):
                its[f"block_{block + 1}"] = EncoderBlock(width, wider, layers)
                width = wider
            if group < config.groups - 1:
                its["pool"] = nn.MaxPool2d(2)
            blocks[f"group_{group + 1}"] = nn.Sequential(its)
        blocks["output"] = nn.Sequential(
            OrderedDict([("relu", nn.ReLU()), ("conv", nn.Conv2d(width, config.codes, 1))])
        )
        self.blocks = nn.Sequential(blocks)
        _initialise(self)

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits [N, K, h, w] of images [N, C, H, W] in [-1, 1]."""
        logits: Tensor = self.blocks(squeezed(images, self.epsilon))
        return logits


class DVAEDecoder(CodeDecoder):
    """The paper's decoder."""

    def __init__(self, config: DVAEDecoderConfig) -> None:
        super().__init__(config, config.likelihood, config.epsilon)
        layers = config.groups * config.blocks
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        blocks["input"] = nn.Conv2d(config.codes, config.stem, 1)
        width = config.stem
        for group in range(config.groups):
            narrower = config.width * 2 ** (config.groups - 1 - group)
            its: OrderedDict[str, nn.Module] = OrderedDict()
            for block in range(config.blocks):
                its[f"block_{block + 1}"] = DecoderBlock(width, narrower, layers)
                width = narrower
            if group < config.groups - 1:
                its["upsample"] = nn.Upsample(scale_factor=2, mode="nearest")
            blocks[f"group_{group + 1}"] = nn.Sequential(its)
        outputs = config.channels * (2 if config.likelihood == "logit-laplace" else 1)
        blocks["output"] = nn.Sequential(
            OrderedDict([("relu", nn.ReLU()), ("conv", nn.Conv2d(width, outputs, 1))])
        )
        self.blocks = nn.Sequential(blocks)
        _initialise(self)

    def statistics(self, shares: Tensor) -> Tensor:
        """Return μ and ln b, or the images, for shares of each code; see `CodeDecoder`."""
        statistics: Tensor = self.blocks(shares)
        return statistics


class EncoderBlock(nn.Module):
    """Three 3 × 3 convolutions of a quarter of the channels, and one 1 × 1 back to all of them."""

    def __init__(self, inputs: int, outputs: int, layers: int) -> None:
        super().__init__()
        hidden = outputs // 4
        self.gain = 1 / layers**2
        self.id_path = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.res_path = _convolutions(inputs, (hidden, hidden, hidden, outputs), (3, 3, 3, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return features [N, outputs, H, W] of features [N, inputs, H, W]."""
        result: Tensor = self.id_path(features) + self.gain * self.res_path(features)
        return result


class DecoderBlock(EncoderBlock):
    """The same with the 1 × 1 convolution first."""

    def __init__(self, inputs: int, outputs: int, layers: int) -> None:
        super().__init__(inputs, outputs, layers)
        hidden = outputs // 4
        self.res_path = _convolutions(inputs, (hidden, hidden, hidden, outputs), (1, 3, 3, 3))


def squeezed(images: Tensor, epsilon: float) -> Tensor:
    """Return φ of appendix A.3: images in [-1, 1] become pixels in [ε, 1 - ε]."""
    return (1 - 2 * epsilon) * (images + 1) / 2 + epsilon


def unsqueezed(pixels: Tensor, epsilon: float) -> Tensor:
    """Return pixels as images in [-1, 1]: the reverse of `squeezed`, cut off at its ends."""
    return ((pixels - epsilon) / (1 - 2 * epsilon)).clamp(0, 1) * 2 - 1


def logit_laplace(pixels: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return -ln f(x | μ, b) of equation 3, for pixels x in (0, 1).

    f(x | μ, b) = 1 / (2 b x (1 - x)) · exp(-|logit(x) - μ| / b)

    Args:
        pixels, mean, log_scale: of one shape; ln b.

    Returns:
        of that shape, in nats.
    """
    distance = (torch.logit(pixels) - mean).abs() * torch.exp(-log_scale)
    return distance + log_scale + math.log(2) + torch.log(pixels) + torch.log1p(-pixels)


def relaxed_codes(logits: Tensor, temperature: float, uniform: Tensor) -> Tensor:
    """Return equation 2: shares of each code, nearly 0 or 1 at a low temperature.

    Args:
        logits: [N, K, h, w]
        temperature: τ
        uniform: of the same shape, in [0, 1), which becomes Gumbel noise.
    """
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
    return ((logits.float() + gumbel) / temperature).softmax(1)


def uniform_divergence(logits: Tensor) -> Tensor:
    """Return KL(q(z|x) ‖ uniform) of each image in nats, summed over the grid: [N].

    Args:
        logits: [N, K, h, w]
    """
    log_shares = logits.float().log_softmax(1)
    divergence = (log_shares.exp() * (log_shares + math.log(logits.shape[1]))).sum(1)
    return divergence.flatten(1).sum(1)


def perplexity(counts: Tensor) -> Tensor:
    """Return how many codes, all as frequent, would be as various as codes used `counts` [K]."""
    shares = counts.float() / counts.sum()
    return torch.exp(-torch.special.xlogy(shares, shares).sum())


def _convolutions(inputs: int, widths: tuple[int, ...], kernels: tuple[int, ...]) -> nn.Sequential:
    path: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (width, kernel) in enumerate(zip(widths, kernels, strict=True), 1):
        path[f"relu_{number}"] = nn.ReLU()
        path[f"conv_{number}"] = nn.Conv2d(inputs, width, kernel, padding=kernel // 2)
        inputs = width
    return nn.Sequential(path)


@torch.no_grad()
def _initialise(network: nn.Module) -> None:
    """Draw each convolution's weights with deviation 1 / √(its inputs), and set biases to 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.weight[0].numel()))
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
