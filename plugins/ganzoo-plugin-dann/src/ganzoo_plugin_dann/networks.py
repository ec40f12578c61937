"""The small networks of the papers on digits: features, classes, and the domain of features."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ganzoo_core.components import Code, CodeDiscriminator, DiscriminatorOutput, Encoder
from ganzoo_core.nn import Dropout
from ganzoo_plugin_dann.config import (
    DannEncoderConfig,
    DomainClassifierConfig,
    ImagesConfig,
    LeNetConfig,
    pooled_side,
)


class DannEncoder(Encoder):
    """G_f and G_y of figure 4a: the features are the maps behind the second pooling."""

    def __init__(self, config: DannEncoderConfig) -> None:
        super().__init__()
        self.image_shape = _image_shape(config)
        self.classes = config.classes
        size = config.second_maps * pooled_side(config.image_size) ** 2
        self.latent_shape = (size,)
        maps = (config.channels, config.first_maps, config.second_maps)
        self.features = nn.Sequential()
        for number in (1, 2):
            self.features.add_module(f"conv{number}", nn.Conv2d(maps[number - 1], maps[number], 5))
            if config.batch_normalization:
                self.features.add_module(f"norm{number}", nn.BatchNorm2d(maps[number]))
            if config.dropout and number == 2:
                self.features.add_module("dropout", Dropout(config.dropout))
            self.features.add_module(f"pool{number}", nn.MaxPool2d(2))
            self.features.add_module(f"rectifier{number}", nn.ReLU())
        self.features.add_module("flat", nn.Flatten())
        self.classifier = nn.Sequential()
        for number in (1, 2):
            units = size if number == 1 else config.hidden
            self.classifier.add_module(f"hidden{number}", nn.Linear(units, config.hidden))
            if config.batch_normalization:
                self.classifier.add_module(f"norm{number}", nn.BatchNorm1d(config.hidden))
            self.classifier.add_module(f"rectifier{number}", nn.ReLU())
            if config.dropout and number == 1:
                self.classifier.add_module("dropout", Dropout(config.dropout))
        self.classifier.add_module("to_classes", nn.Linear(config.hidden, config.classes))

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: features [N, …] and logits of the classes."""
        features = self.features(images)
        return Code(features, logits=self.classifier(features))


class LeNet(Encoder):
    """Two convolutions and a hidden layer, whose units are the features."""

    def __init__(self, config: LeNetConfig) -> None:
        super().__init__()
        self.image_shape = _image_shape(config)
        self.classes = config.classes
        self.latent_shape = (config.latent_size,)
        self.features = nn.Sequential(
            nn.Conv2d(config.channels, config.first_maps, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(config.first_maps, config.second_maps, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(config.second_maps * pooled_side(config.image_size) ** 2, config.latent_size),
            nn.ReLU(),
        )
        self.to_classes = nn.Linear(config.latent_size, config.classes)

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: features [N, latent_size] and class logits."""
        features = self.features(images)
        return Code(features, logits=self.to_classes(features))


class DomainClassifier(CodeDiscriminator):
    """G_d: features to one logit, above 0 where they are of the source."""

    def __init__(self, config: DomainClassifierConfig) -> None:
        super().__init__()
        self.latent_shape = (config.inputs,)
        self.layers = nn.Sequential()
        for number in range(config.layers):
            units = config.width if number else config.inputs
            self.layers.add_module(f"hidden{number + 1}", nn.Linear(units, config.width))
            if config.batch_normalization:
                self.layers.add_module(f"norm{number + 1}", nn.BatchNorm1d(config.width))
            self.layers.add_module(f"rectifier{number + 1}", nn.ReLU())
        self.layers.add_module("to_logit", nn.Linear(config.width, 1))

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge features [N, latent_size]: logits [N]."""
        return DiscriminatorOutput(self.layers(codes).squeeze(1))


def _image_shape(config: ImagesConfig) -> tuple[int, int, int]:
    return config.channels, config.image_size, config.image_size


ENCODERS: dict[str, Callable[[Any], Encoder]] = {"dann": DannEncoder, "lenet": LeNet}
