"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import AuthorsWeights, CodeDiscriminator, Config, Parts, Trainer


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_factor_vae import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_code_discriminator(component: str, config: Any) -> CodeDiscriminator:
    from ganzoo_plugin_factor_vae.networks import FactorVAEDiscriminator

    return FactorVAEDiscriminator(config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_factor_vae.trainer import FactorVAETrainer

    return FactorVAETrainer(config, parts)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_factor_vae.checkpoints import read

    return read(file)
