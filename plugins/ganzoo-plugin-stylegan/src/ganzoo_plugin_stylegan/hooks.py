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
        Regularizer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_stylegan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    from ganzoo_plugin_stylegan.networks import StyleGenerator

    return StyleGenerator(config)


@hookimpl
def ganzoo_discriminator(component: str, config: Any) -> Discriminator:
    from ganzoo_plugin_stylegan.networks import StyleDiscriminator

    return StyleDiscriminator(config)


@hookimpl
def ganzoo_regularizer(component: str, config: Any) -> Regularizer:
    from ganzoo_plugin_stylegan.r1 import R1

    return R1(config)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_stylegan.checkpoints import read

    return read(file)
