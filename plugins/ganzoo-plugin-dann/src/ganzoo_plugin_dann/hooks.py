"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import (
        AuthorsWeights,
        CodeDiscriminator,
        Config,
        Encoder,
        Parts,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_dann import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_encoder(component: str, config: Any) -> Encoder:
    from ganzoo_plugin_dann.networks import ENCODERS

    return ENCODERS[component](config)


@hookimpl
def ganzoo_code_discriminator(component: str, config: Any) -> CodeDiscriminator:
    from ganzoo_plugin_dann.networks import DomainClassifier

    return DomainClassifier(config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_dann.trainer import TRAINERS

    return TRAINERS[component](config, parts)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_dann.checkpoints import read

    return read(file)
