"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import (
        AuthorsWeights,
        Config,
        Generator,
        Loss,
        Parts,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_cyclegan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_cyclegan.networks import ResNet

    return ResNet(config)


@hookimpl
def ganzoo_loss(component: str, config: Any) -> Loss:
    from ganzoo_plugin_cyclegan.losses import LeastSquaresLoss

    return LeastSquaresLoss()


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_cyclegan.trainer import CycleTrainer

    return CycleTrainer(config, parts)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_cyclegan.checkpoints import read

    return read(variant, file)
