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
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_dcgan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_dcgan.networks import DCGANGenerator

    return DCGANGenerator(config)


@hookimpl
def ganzoo_discriminator(component: str, config: Any) -> Discriminator:
    from ganzoo_plugin_dcgan.networks import DCGANDiscriminator

    return DCGANDiscriminator(config)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_dcgan.checkpoints import read

    return read(file)
