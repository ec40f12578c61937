"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from ganzoo_core.components import Config, Discriminator, Loss


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_ebgan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_discriminator(component: str, config: Any) -> Discriminator:
    from ganzoo_plugin_ebgan.networks import AutoencodingDiscriminator

    return AutoencodingDiscriminator(config)


@hookimpl
def ganzoo_loss(component: str, config: Any) -> Loss:
    from ganzoo_plugin_ebgan.losses import EnergyLoss

    return EnergyLoss(config)
