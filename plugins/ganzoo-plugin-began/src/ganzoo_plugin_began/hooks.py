"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from ganzoo_core.components import (
        Config,
        Discriminator,
        Generator,
        Loss,
        Parts,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_began import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_began.networks import BEGANGenerator

    return BEGANGenerator(config)


@hookimpl
def ganzoo_discriminator(component: str, config: Any) -> Discriminator:
    from ganzoo_plugin_began.networks import BEGANAutoencoder

    return BEGANAutoencoder(config)


@hookimpl
def ganzoo_loss(component: str, config: Any) -> Loss:
    from ganzoo_plugin_began.losses import EquilibriumLoss

    return EquilibriumLoss(config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_began.trainer import EquilibriumTrainer

    return EquilibriumTrainer(config, parts)
