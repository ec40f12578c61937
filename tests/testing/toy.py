"""A plugin that keeps every promise, written to a folder as it would be installed.

Tests break it: what they append to its modules or change in its manifest is the defect.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

DISTRIBUTION = "ganzoo-plugin-toy"
PACKAGE = "ganzoo_plugin_toy"

HOOKS = """
from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component):
    from ganzoo_plugin_toy import parts

    return parts.configs().get(component)


@hookimpl
def ganzoo_generator(component, config):
    from ganzoo_plugin_toy import parts

    return parts.ToyGenerator(config)


@hookimpl
def ganzoo_discriminator(component, config):
    from ganzoo_plugin_toy import parts

    return parts.ToyDiscriminator(config)


@hookimpl
def ganzoo_loss(component, config):
    from ganzoo_plugin_toy import parts

    return parts.ToyLoss()


@hookimpl
def ganzoo_regularizer(component, config):
    from ganzoo_plugin_toy import parts

    return parts.ToyRegularizer()


@hookimpl
def ganzoo_trainer(component, config, parts):
    from ganzoo_plugin_toy.parts import ToyTrainer

    return ToyTrainer(config, parts)
"""

PARTS = """
import math
from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus

from ganzoo_core.components import (
    Adam, AdversarialLoss, Config, Discriminator, DiscriminatorOutput, Generator, Losses, Phase,
    Regularizer, Trainer,
)


class NetworkConfig(Config):
    image_size: Literal[8, 16] = 16
    channels: int = Field(default=1, ge=1)
    latent_size: int = Field(default=16, ge=1)
    width: int = Field(default=64, ge=1)
    gain: float = 1.0


class ToyGenerator(Generator):
    def __init__(self, config):
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.layers = nn.Sequential(
            nn.Linear(config.latent_size, config.width),
            nn.BatchNorm1d(config.width),
            nn.ReLU(),
            nn.Linear(config.width, math.prod(self.image_shape)),
        )

    def forward(self, latents, labels=None):
        return self.layers(latents).tanh().view(-1, *self.image_shape)


class ToyDiscriminator(Discriminator):
    def __init__(self, config):
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.layers = nn.Sequential(
            nn.Linear(math.prod(self.image_shape), config.width),
            nn.LeakyReLU(0.2),
            nn.Linear(config.width, config.width),
            nn.LeakyReLU(0.2),
            nn.Linear(config.width, 1),
        )

    def forward(self, images, labels=None):
        return DiscriminatorOutput(self.layers(images.flatten(1)).squeeze(1))


class ToyLoss(AdversarialLoss):
    def discriminator(self, real, fake):
        return softplus(-real.logits).mean() + softplus(fake.logits).mean()

    def generator(self, fake):
        return softplus(-fake.logits).mean()


class ToyRegularizer(Regularizer):
    passes = 3.0

    def penalty(self, judged, noise):
        return judged.judge(judged.real).logits.square().mean()


class TrainerConfig(Config):
    lr: float = Field(default=2e-3, gt=0)


class ToyTrainer(Trainer):
    def phases(self):
        return (
            Phase("discriminator", ("discriminator",), Adam(lr=self.config.lr)),
            Phase("generator", ("generator",), Adam(lr=self.config.lr)),
        )

    def fakes(self, batch, step):
        generator = self.networks["generator"]
        return generator(generator.latents(len(batch), step.noise))

    def loss(self, phase, batch, step):
        discriminator = self.networks["discriminator"]
        if phase.name == "generator":
            fake = discriminator(self.fakes(batch, step))
            return Losses(self.criterion.generator(fake))
        with torch.no_grad():
            fakes = self.fakes(batch, step)
        real, fake = discriminator(batch.images), discriminator(fakes)
        return Losses(self.criterion.discriminator(real, fake))

    def passes(self):
        return {"generator": 4, "discriminator": 8}


class LossConfig(Config):
    pass


def configs():
    return {
        "generator/toy": NetworkConfig,
        "discriminator/toy": NetworkConfig,
        "loss/toy": LossConfig,
        "regularizer/toy": LossConfig,
        "trainer/toy": TrainerConfig,
    }
"""


def manifest() -> dict[str, Any]:
    """Return the manifest of the sound plugin, to be changed at will."""
    return {
        "api": "1.0",
        "variants": [
            {
                "name": "toy",
                "title": "Toy",
                "summary": "A small game.",
                "paper": {
                    "title": "Toys",
                    "authors": "A. Author",
                    "year": 2020,
                    "url": "https://example.org/toys",
                },
                "family": "gan",
                "task": "unconditional-image-generation",
                "verbs": ["sample", "interpolate", "decode"],
                "recipe": {
                    "networks": {
                        "generator": {"kind": "generator", "component": f"{DISTRIBUTION}/toy"},
                        "discriminator": {
                            "kind": "discriminator",
                            "component": f"{DISTRIBUTION}/toy",
                        },
                    },
                    "loss": f"{DISTRIBUTION}/toy",
                    "trainer": f"{DISTRIBUTION}/toy",
                    "inference": ["generator"],
                },
                "image_sizes": [8, 16],
                "defaults": {"trainer.lr": 0.003},
                "presets": {"small": {"summary": "Small.", "settings": {"width": 32}}},
                "tiny": {
                    "image_size": 8,
                    "latent_size": 4,
                    "width": 16,
                    "training.batch_size": 8,
                },
            }
        ],
        "components": {
            "generators": [{"name": "toy", "summary": "Two layers"}],
            "discriminators": [{"name": "toy", "summary": "Three layers"}],
            "losses": [{"name": "toy", "summary": "Non-saturating"}],
            "regularizers": [{"name": "toy", "summary": "Small logits"}],
            "trainers": [{"name": "toy", "summary": "Alternating"}],
        },
    }


def write_package(
    root: Path,
    *,
    hooks: str = "",
    parts: str = "",
    change: Callable[[dict[str, Any]], object] | None = None,
) -> Path:
    """Write the package under `root`, with what a test adds; return its folder."""
    described = manifest()
    if change:
        change(described)
    package = root / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "hooks.py").write_text(HOOKS + hooks)
    (package / "parts.py").write_text(PARTS + parts)
    (package / "ganzoo-plugin.json").write_text(json.dumps(described))
    return package


def write_installed(site: Path, **defect: Any) -> None:
    """Write the package and the metadata that an installer leaves beside it."""
    write_package(site, **defect)
    info = site / f"{PACKAGE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ganzoo.plugins]\ntoy = {PACKAGE}.hooks\n")


def write_source(folder: Path, *, layout: str = "src", **defect: Any) -> None:
    """Write the source folder of the plugin, as it would be checked out."""
    write_package(folder / layout, **defect)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{DISTRIBUTION}"\nversion = "1.0"\n'
        f'[project.entry-points."ganzoo.plugins"]\ntoy = "{PACKAGE}.hooks"\n'
    )
