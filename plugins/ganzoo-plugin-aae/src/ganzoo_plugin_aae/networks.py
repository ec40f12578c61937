"""The perceptrons of appendix A: two rectified layers each, for images, codes and labels."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganzoo_core.components import (
    Code,
    CodeDiscriminator,
    DiscriminatorOutput,
    Encoder,
    Generator,
    LatentCode,
    Noise,
    NoisyModule,
)
from ganzoo_core.nn import Dropout, GaussianNoise, init_normal
from ganzoo_plugin_aae import priors
from ganzoo_plugin_aae.config import (
    ClassesDecoderConfig,
    ClassesDiscriminatorConfig,
    ClassesEncoderConfig,
    ClustersDecoderConfig,
    ClustersDiscriminatorConfig,
    ClustersEncoderConfig,
    DecoderConfig,
    EncoderConfig,
    HeadsDecoderConfig,
    HeadsEncoderConfig,
    ImageConfig,
    InputConfig,
    LabelledDiscriminatorConfig,
    PerceptronConfig,
)


@dataclass(frozen=True)
class LabelledCode(Code):
    """A code that consists of a label y, whose logits it has, and a style z."""

    style: Tensor | None = None
    """[N, style size]"""

    @property
    def shares(self) -> Tensor:
        """How probable each class or cluster is: y, [N, classes]."""
        assert self.logits is not None
        return self.logits.softmax(1)


class AAEEncoder(Encoder):
    """q(z|x): images to a point, a Gaussian, or a point that also depends on noise."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.image_shape = _image_shape(config)
        self.latent_shape = (config.latent_size,)
        self.gaussian = config.posterior == "gaussian"
        extra = config.noise_size if config.posterior == "universal" else 0
        self.hidden = _encoder_layers(config, extra)
        outputs = config.latent_size * (2 if self.gaussian else 1)
        self.to_code = _last(config, outputs)
        init_normal(self, config.init_deviation)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: a code [N, latent_size]."""
        code = self.to_code(self.hidden(_pixels(images)))
        if not self.gaussian:
            return Code(code)
        mean, log_variance = code.chunk(2, dim=1)
        return Code(mean, log_variance)


class _LabelEncoder(Encoder):
    """q(y|x) and q(z|x) share the hidden layers (appendix A.2)."""

    def __init__(self, config: InputConfig, labels: int) -> None:
        super().__init__()
        self.image_shape = _image_shape(config)
        self.hidden = _encoder_layers(config, 0)
        self.to_logits = _last(config, labels)
        self.to_style = _last(config, config.latent_size)
        init_normal(self, config.init_deviation)

    def parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of y and the style z of images [N, C, H, W]."""
        hidden = self.hidden(_pixels(images))
        return self.to_logits(hidden), self.to_style(hidden)


class AAEClassesEncoder(_LabelEncoder):
    """The code is the style; the label is the image's class, which it names."""

    def __init__(self, config: ClassesEncoderConfig) -> None:
        super().__init__(config, config.classes)
        self.latent_shape = (config.latent_size,)
        self.classes = config.classes

    def forward(self, images: Tensor) -> LabelledCode:
        """Encode images [N, C, H, W] in [-1, 1]: styles [N, latent_size] and class logits."""
        logits, style = self.parts(images)
        return LabelledCode(style, logits=logits, style=style)


class AAEClustersEncoder(_LabelEncoder):
    """The code is how probable each cluster is, and then the style."""

    def __init__(self, config: ClustersEncoderConfig) -> None:
        super().__init__(config, config.clusters)
        self.latent_shape = (config.clusters + config.latent_size,)

    def forward(self, images: Tensor) -> LabelledCode:
        """Encode images [N, C, H, W] in [-1, 1]: codes [N, clusters + latent_size]."""
        logits, style = self.parts(images)
        return LabelledCode(torch.cat([logits.softmax(1), style], 1), logits=logits, style=style)


class AAEHeadsEncoder(_LabelEncoder):
    """The code is the cluster's head, where images of that cluster gather, plus the style."""

    def __init__(self, config: HeadsEncoderConfig) -> None:
        super().__init__(config, config.clusters)
        self.latent_shape = (config.latent_size,)
        self.heads = nn.Parameter(torch.empty(config.clusters, config.latent_size))
        nn.init.normal_(self.heads, 0, HEADS_DEVIATION)

    def forward(self, images: Tensor) -> LabelledCode:
        """Encode images [N, C, H, W] in [-1, 1]: codes [N, latent_size]."""
        logits, style = self.parts(images)
        return LabelledCode(logits.softmax(1) @ self.heads + style, logits=logits, style=style)


HEADS_DEVIATION = 5.0
"""Heads begin as N(0, this²), in units of a code."""


class _PerceptronDecoder(Generator):
    """Two rectified layers and a sigmoid."""

    def __init__(self, config: ImageConfig, inputs: int) -> None:
        super().__init__()
        self.image_shape = _image_shape(config)
        self.layers = _perceptron(inputs, config.width, math.prod(self.image_shape))
        init_normal(self, config.init_deviation)

    def images(self, inputs: Tensor) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1]."""
        # tanh(x/2) is the paper's sigmoid moved from [0, 1] to [-1, 1].
        return torch.tanh(self.layers(inputs) / 2).view(-1, *self.image_shape)


class AAEDecoder(_PerceptronDecoder):
    """p(x|z), with the prior that is imposed on the code."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config, config.latent_size)
        self.latent_shape = (config.latent_size,)
        self.prior = config.prior
        self.components = config.components
        self.deviation = config.deviation

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw from the whole prior: [count, latent_size]."""
        return self.deviation * priors.draw(
            self.prior, count, self.latent_shape[0], self.components, noise
        )

    def latents_of(self, labels: Tensor, noise: Noise) -> Tensor:
        """Draw from the parts of the prior that stand for classes [N]: [N, latent_size]."""
        return self.deviation * priors.draw(
            self.prior, len(labels), self.latent_shape[0], self.components, noise, labels
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]."""
        return self.images(latents)


class AAEClassesDecoder(_PerceptronDecoder):
    """p(x|y, z): the class is given, so that the code is left with the style."""

    def __init__(self, config: ClassesDecoderConfig) -> None:
        super().__init__(config, config.classes + config.latent_size)
        self.latent_shape = (config.latent_size,)
        self.classes = config.classes
        self.deviation = config.deviation

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw styles: [count, latent_size]."""
        return self.deviation * noise.normal(count, *self.latent_shape)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of styles [N, latent_size] and classes [N]."""
        assert labels is not None, "a decoder with classes is given labels"
        return self.mixed(latents, one_hot(labels, self.classes).to(latents))

    def mixed(self, latents: Tensor, shares: Tensor) -> Tensor:
        """Make images of styles and of how probable each class is, [N, classes]."""
        return self.images(torch.cat([shares, latents], 1))


class AAEClustersDecoder(_PerceptronDecoder):
    """p(x|y, z): latents begin with the cluster, one-hot."""

    def __init__(self, config: ClustersDecoderConfig) -> None:
        super().__init__(config, config.clusters + config.latent_size)
        self.latent_shape = (config.clusters + config.latent_size,)
        self.clusters = config.clusters
        self.deviation = config.deviation
        styles = {
            f"z{number}": LatentCode(config.clusters + number)
            for number in range(config.latent_size)
        }
        cluster = LatentCode(0, config.clusters, categorical=True)
        self.codes: Mapping[str, LatentCode] = {"cluster": cluster, **styles}

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw clusters, all as probable, and styles: [count, clusters + latent_size]."""
        clusters = one_hot(noise.integers(self.clusters, count), self.clusters)
        style = self.deviation * noise.normal(count, self.latent_shape[0] - self.clusters)
        return torch.cat([clusters.to(style), style], 1)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, clusters + latent_size]."""
        return self.images(latents)


class AAEHeadsDecoder(_PerceptronDecoder):
    """Images of a cluster's head plus a style."""

    def __init__(self, config: HeadsDecoderConfig) -> None:
        super().__init__(config, config.latent_size)
        self.latent_shape = (config.latent_size,)
        self.deviation = config.deviation
        self.heads: Tensor
        # A copy of the encoder's, where the prior has its clusters.
        self.register_buffer("heads", torch.zeros(config.clusters, config.latent_size))

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw heads, all as probable, and styles: [count, latent_size]."""
        heads = self.heads[noise.integers(len(self.heads), count)]
        return heads + self.deviation * noise.normal(count, *self.latent_shape)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]."""
        return self.images(latents)


class AAEDiscriminator(CodeDiscriminator):
    """Codes to one logit, above 0 for the prior's."""

    def __init__(self, config: PerceptronConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.layers = _perceptron(config.latent_size, config.width, 1)
        init_normal(self, config.init_deviation)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge codes [N, latent_size]: logits [N]."""
        return DiscriminatorOutput(self.layers(codes).squeeze(1))


class AAELabelledDiscriminator(CodeDiscriminator):
    """The same, told by a one-hot label which part of the prior the code should lie in."""

    def __init__(self, config: LabelledDiscriminatorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.classes = config.classes
        self.layers = _perceptron(config.latent_size + config.classes + 1, config.width, 1)
        init_normal(self, config.init_deviation)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge codes [N, latent_size]: logits [N].

        The label `classes`, one above the last class, says that an image has none, as does None.
        """
        if labels is None:
            labels = torch.full((len(codes),), self.classes, device=codes.device)
        switch = one_hot(labels, self.classes + 1).to(codes)
        return DiscriminatorOutput(self.layers(torch.cat([codes, switch], 1)).squeeze(1))


class AAELabelDiscriminator(CodeDiscriminator):
    """Label parts y to one logit, above 0 for one-hot ones; it is not conditioned on anything."""

    def __init__(self, config: ClassesDiscriminatorConfig | ClustersDiscriminatorConfig) -> None:
        super().__init__()
        if isinstance(config, ClassesDiscriminatorConfig):
            size = self.classes = config.classes
        else:
            size = config.clusters
        self.latent_shape = (size,)
        self.layers = _perceptron(size, config.width, 1)
        init_normal(self, config.init_deviation)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge label parts [N, classes or clusters]: logits [N]."""
        return DiscriminatorOutput(self.layers(codes).squeeze(1))


class _WithNoise(NoisyModule):
    """Append η of N(0, 1) to activations; zeros where nobody gives noise to an encoder at rest."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, activations: Tensor) -> Tensor:
        """Map [N, inputs] to [N, inputs + size]."""
        if self.training or self.noise is not None:
            eta = self.drawn_from().normal(len(activations), self.size)
        else:
            eta = activations.new_zeros(len(activations), self.size)
        return torch.cat([activations, eta.to(activations)], 1)


def _pixels(images: Tensor) -> Tensor:
    """Return images as rows of pixels in [0, 1]."""
    return (images.flatten(1) + 1) / 2


def _image_shape(config: ImageConfig) -> tuple[int, int, int]:
    return config.channels, config.image_size, config.image_size


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )


def _encoder_layers(config: InputConfig, noise_size: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    if config.input_dropout:
        layers.append(Dropout(config.input_dropout))
    if config.input_noise:
        layers.append(GaussianNoise(config.input_noise))
    if noise_size:
        layers.append(_WithNoise(noise_size))
    inputs = math.prod(_image_shape(config)) + noise_size
    for size in (inputs, config.width):
        layers.append(nn.Linear(size, config.width))
        if config.batch_normalization:
            layers.append(nn.BatchNorm1d(config.width))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def _last(config: InputConfig, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(config.width, outputs)]
    if config.batch_normalization:
        layers.append(nn.BatchNorm1d(outputs))
    return nn.Sequential(*layers)


ENCODERS: dict[str, Callable[[Any], Encoder]] = {
    "aae": AAEEncoder,
    "aae-classes": AAEClassesEncoder,
    "aae-clusters": AAEClustersEncoder,
    "aae-heads": AAEHeadsEncoder,
}
DECODERS: dict[str, Callable[[Any], Generator]] = {
    "aae": AAEDecoder,
    "aae-classes": AAEClassesDecoder,
    "aae-clusters": AAEClustersDecoder,
    "aae-heads": AAEHeadsDecoder,
}
DISCRIMINATORS: dict[str, Callable[[Any], CodeDiscriminator]] = {
    "aae": AAEDiscriminator,
    "aae-labelled": AAELabelledDiscriminator,
    "aae-classes": AAELabelDiscriminator,
    "aae-clusters": AAELabelDiscriminator,
}
