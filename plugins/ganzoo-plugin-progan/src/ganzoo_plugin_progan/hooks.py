"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import (
        AuthorsWeights,
        Config,
        Discriminator,
        Generator,
        Parts,
        Regularizer,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_progan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_progan.networks import ProGANGenerator

    return ProGANGenerator(config)


@hookimpl
def ganzoo_discriminator(component: str, config: Any) -> Discriminator:
    from ganzoo_plugin_progan.networks import ProGANDiscriminator

    return ProGANDiscriminator(config)


@hookimpl
def ganzoo_regularizer(component: str, config: Any) -> Regularizer:
    from ganzoo_plugin_progan.drift import Drift

    return Drift(config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_progan.trainer import ProgressiveTrainer

    return ProgressiveTrainer(config, parts)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_progan.checkpoints import read

    return read(file)
