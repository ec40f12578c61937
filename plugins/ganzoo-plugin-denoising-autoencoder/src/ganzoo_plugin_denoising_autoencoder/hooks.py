"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from ganzoo_core.components import Config, Encoder, Generator, Parts, Trainer


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_denoising_autoencoder import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_encoder(component: str, config: Any) -> Encoder:
    from ganzoo_plugin_denoising_autoencoder import networks

    if component == "stacked":
        return networks.StackedEncoder(config)
    return networks.DenoisingEncoder(config)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_denoising_autoencoder.networks import StackedDecoder

    return StackedDecoder(config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_denoising_autoencoder.trainer import StackedTrainer

    return StackedTrainer(config, parts)
