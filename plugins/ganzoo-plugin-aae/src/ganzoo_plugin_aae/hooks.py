"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from ganzoo_core.components import (
        CodeDiscriminator,
        Config,
        Encoder,
        Generator,
        Parts,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_aae import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_encoder(component: str, config: Any) -> Encoder:
    from ganzoo_plugin_aae.networks import ENCODERS

    return ENCODERS[component](config)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_aae.networks import DECODERS

    return DECODERS[component](config)


@hookimpl
def ganzoo_code_discriminator(component: str, config: Any) -> CodeDiscriminator:
    from ganzoo_plugin_aae.networks import DISCRIMINATORS

    return DISCRIMINATORS[component](config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_aae.trainer import TRAINERS

    return TRAINERS[component](config, parts)
