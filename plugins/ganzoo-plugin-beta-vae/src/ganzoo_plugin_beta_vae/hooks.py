"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import AuthorsWeights, Config, Parts, Trainer


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_beta_vae import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_beta_vae.trainer import BetaVAETrainer

    return BetaVAETrainer(config, parts)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_vae.checkpoints import read_convolutional

    return read_convolutional(file)
