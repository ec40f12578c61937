"""The encoders, the decoder, the scene discriminator and the LSTM.

Networks see pixels from 0 to 1, as the authors' do, and images outside are in [-1, 1]. From one
resolution to the next, from the image's to 4×4, there is a level of 1, 2, 4, 8 and again 8 times
`width` feature maps.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, normalize

from ganzoo_core.components import (
    Code,
    CodeDiscriminator,
    Composer,
    DiscriminatorOutput,
    Encoder,
    Predictor,
)
from ganzoo_plugin_drnet.config import (
    ComposerConfig,
    ContentConfig,
    LSTMConfig,
    PoseConfig,
    SceneConfig,
)


class DCGANContent(Encoder):
    """E_c of convolutions with stride 2; its maps are those after each of them."""

    def __init__(self, config: ContentConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.content_size,)
        self.skips = config.skips
        widths = _widths(config.image_size, config.width)
        self.downs = nn.ModuleList(_halving(config.channels, widths))
        self.to_code = _to_code(widths[-1], config.content_size)
        initialize(self)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1] as [N, content_size] in [-1, 1], with maps."""
        activations = (images + 1) / 2
        maps = []
        for down in self.downs:
            activations = down(activations)
            maps.append(activations)
        code = self.to_code(activations).flatten(1)
        return Code(code, maps=tuple(maps) if self.skips else ())


class VGGContent(Encoder):
    """E_c of two or three convolutions a level; its maps are those before each pooling."""

    def __init__(self, config: ContentConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.content_size,)
        self.skips = config.skips
        widths = _widths(config.image_size, config.width)
        inputs = config.channels
        self.levels = nn.ModuleList()
        for number, outputs in enumerate(widths):
            self.levels.append(_block([inputs] + [outputs] * _depth(number)))
            inputs = outputs
        self.to_code = _to_code(widths[-1], config.content_size)
        initialize(self)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1] as [N, content_size] in [-1, 1], with maps."""
        activations = (images + 1) / 2
        maps = []
        for level in self.levels:
            maps.append(level(activations))
            activations = max_pool2d(maps[-1], 2)
        code = self.to_code(activations).flatten(1)
        return Code(code, maps=tuple(maps) if self.skips else ())


class DCGANPose(Encoder):
    """E_p of convolutions with stride 2."""

    def __init__(self, config: PoseConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.pose_size,)
        self.normalize = config.normalize
        widths = _widths(config.image_size, config.width)
        self.downs = nn.Sequential(*_halving(config.channels, widths))
        self.to_code = _to_code(widths[-1], config.pose_size)
        initialize(self)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1] as [N, pose_size] in [-1, 1]."""
        code = self.to_code(self.downs((images + 1) / 2)).flatten(1)
        return Code(_normalized(code, self.normalize))


class ResNetPose(Encoder):
    """E_p of residual blocks, ResNet-18 with a level more at 128 pixels and fewer below 64."""

    def __init__(self, config: PoseConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.pose_size,)
        self.normalize = config.normalize
        self.first = nn.Conv2d(config.channels, config.width, 5, 2, 3)
        self.first_norm = nn.BatchNorm2d(config.width)
        levels = len(_widths(config.image_size, config.width))
        self.blocks = nn.Sequential()
        inputs = config.width
        for number in range(levels):
            outputs = config.width << number
            self.blocks.append(_Residual(inputs, outputs, 2 if number else 1))
            self.blocks.append(_Residual(outputs, outputs, 1))
            inputs = outputs
        self.to_code = nn.Sequential(
            nn.Conv2d(inputs, config.pose_size, 3), nn.BatchNorm2d(config.pose_size), nn.Tanh()
        )
        initialize(self)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1] as [N, pose_size] in [-1, 1]."""
        activations = self.first_norm(self.first((images + 1) / 2)).relu()
        activations = max_pool2d(activations, 3, 2, 1)
        code = self.to_code(self.blocks(activations)).flatten(1)
        return Code(_normalized(code, self.normalize))


class DCGANComposer(Composer):
    """D of transposed convolutions, which take the content's maps beside their own."""

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__()
        _describe(self, config, finest=2)
        widths = _widths(config.image_size, config.width)
        times = 2 if config.skips else 1
        self.from_codes = _from_codes(config, widths[-1])
        self.ups = nn.ModuleList(
            _layer(nn.ConvTranspose2d(times * inputs, outputs, 4, 2, 1), outputs)
            for inputs, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.to_image = nn.ConvTranspose2d(times * widths[0], config.channels, 4, 2, 1)
        initialize(self)

    def forward(self, content: Code, pose: Tensor) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of a content with its maps and poses [N, pose]."""
        activations = self.from_codes(_joined(content, pose))
        maps = content.maps[::-1] if self.map_shapes else [None] * (len(self.ups) + 1)
        for layer, beside in zip((*self.ups, self.to_image), maps, strict=True):
            if beside is not None:
                activations = torch.cat([activations, beside], 1)
            activations = layer(activations)
        return _image(activations)


class VGGComposer(Composer):
    """D of convolutions at each resolution, which take the content's maps beside their own."""

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__()
        _describe(self, config, finest=1)
        widths = _widths(config.image_size, config.width)
        times = 2 if config.skips else 1
        self.from_codes = _from_codes(config, widths[-1])
        self.levels = nn.ModuleList()
        for number in range(len(widths) - 1, -1, -1):
            inside = [widths[number]] * (_depth(number) - 1)
            outputs = widths[number - 1] if number else widths[0]
            self.levels.append(
                _block([times * widths[number], *(inside if number else ()), outputs])
            )
        self.to_image = nn.ConvTranspose2d(widths[0], config.channels, 3, 1, 1)
        initialize(self)

    def forward(self, content: Code, pose: Tensor) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of a content with its maps and poses [N, pose]."""
        activations = self.from_codes(_joined(content, pose))
        maps = content.maps[::-1] if self.map_shapes else [None] * len(self.levels)
        for level, beside in zip(self.levels, maps, strict=True):
            activations = interpolate(activations, scale_factor=2.0)
            if beside is not None:
                activations = torch.cat([activations, beside], 1)
            activations = level(activations)
        return _image(self.to_image(activations))


class SceneDiscriminator(CodeDiscriminator):
    """C, which says of two poses, one behind the other, whether they are of the same video."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.latent_shape = (2 * config.pose_size,)
        self.hidden = nn.Sequential(
            nn.Linear(2 * config.pose_size, config.units),
            nn.ReLU(),
            nn.Linear(config.units, config.units),
            nn.ReLU(),
        )
        self.to_logit = nn.Linear(config.units, 1)
        initialize(self)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge pairs of poses [N, 2 × pose_size]: logits [N], above 0 for the same video."""
        features = self.hidden(codes)
        return DiscriminatorOutput(self.to_logit(features).squeeze(1), features)


class PoseLSTM(Predictor):
    """Section 3.1: each pose from the one before it, the content, and what is remembered."""

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__()
        self.latent_shape = (config.pose_size,)
        self.content_shape = (config.content_size,)
        self.normalize = config.normalize
        self.embedding = nn.Linear(config.pose_size + config.content_size, config.cells)
        self.cells = nn.ModuleList(
            nn.LSTMCell(config.cells, config.cells) for _ in range(config.layers)
        )
        self.to_pose = nn.Linear(config.cells, config.pose_size)
        initialize(self)

    def forward(self, past: Tensor, future: int, content: Tensor | None = None) -> Tensor:
        """Go on with poses [N, T, pose_size]: [N, future, pose_size], in [-1, 1]."""
        assert content is not None
        states: list[tuple[Tensor, Tensor]] = []
        ahead: list[Tensor] = []
        for pose in past.unbind(1):
            following = self._step(pose, content, states)
        for _ in range(future):
            ahead.append(following)
            if len(ahead) < future:
                following = self._step(following, content, states)
        return torch.stack(ahead, 1)

    def following(self, poses: Tensor, content: Tensor) -> Tensor:
        """Return what is expected after each of the true poses [N, T, pose_size]: as many."""
        states: list[tuple[Tensor, Tensor]] = []
        return torch.stack([self._step(pose, content, states) for pose in poses.unbind(1)], 1)

    def _step(self, pose: Tensor, content: Tensor, states: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Return the next pose [N, pose_size], and remember."""
        activations = self.embedding(torch.cat([pose, content], 1))
        for number, cell in enumerate(self.cells):
            if number == len(states):
                states.append(cell(activations))
            else:
                states[number] = cell(activations, states[number])
            activations = states[number][0]
        return _normalized(self.to_pose(activations).tanh(), self.normalize)


class _Residual(nn.Module):
    """Two convolutions that add to what they are given, brought to their size where it differs."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Sequential | None = None
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, activations: Tensor) -> Tensor:
        added = self.first_norm(self.first(activations)).relu()
        added = self.second_norm(self.second(added))
        kept = activations if self.shortcut is None else self.shortcut(activations)
        output: Tensor = (kept + added).relu()
        return output


def initialize(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02²) and gains from N(1, 0.02²), as the authors do; biases are 0.

    The cells of an LSTM keep PyTorch's own.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)


def _widths(image_size: int, width: int) -> tuple[int, ...]:
    """Return the feature maps of each level, finest first; the coarsest leads to 4×4."""
    return tuple(width * min(8, 1 << level) for level in range(image_size.bit_length() - 3))


def _depth(level: int) -> int:
    """Return how many convolutions a level of the VGG has."""
    return 2 if level < 2 else 3


def _layer(convolution: nn.Module, outputs: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))


def _halving(channels: int, widths: Sequence[int]) -> list[nn.Module]:
    """Return convolutions, each of which halves the resolution."""
    return [_layer(nn.Conv2d(a, b, 4, 2, 1), b) for a, b in pairwise((channels, *widths))]


def _block(widths: Sequence[int]) -> nn.Sequential:
    layers = (_layer(nn.Conv2d(a, b, 3, 1, 1), b) for a, b in pairwise(widths))
    return nn.Sequential(*layers)


def _to_code(inputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, size, 4), nn.BatchNorm2d(size), nn.Tanh())


def _from_codes(config: ComposerConfig, outputs: int) -> nn.Sequential:
    inputs = config.content_size + config.pose_size
    return _layer(nn.ConvTranspose2d(inputs, outputs, 4), outputs)


def _describe(composer: Composer, config: ComposerConfig, *, finest: int) -> None:
    """Say what a composer takes; `finest` is by how much its finest map is smaller than images."""
    composer.image_shape = (config.channels, config.image_size, config.image_size)
    composer.content_shape = (config.content_size,)
    composer.pose_shape = (config.pose_size,)
    if config.skips:
        composer.map_shapes = tuple(
            (maps, config.image_size // finest >> level, config.image_size // finest >> level)
            for level, maps in enumerate(_widths(config.image_size, config.width))
        )


def _joined(content: Code, pose: Tensor) -> Tensor:
    return torch.cat([content.mean, pose], 1)[:, :, None, None]


def _normalized(code: Tensor, asked: bool) -> Tensor:
    return normalize(code) if asked else code


def _image(activations: Tensor) -> Tensor:
    """Bring what a sigmoid makes of activations to [-1, 1]."""
    return torch.sigmoid(activations) * 2 - 1
