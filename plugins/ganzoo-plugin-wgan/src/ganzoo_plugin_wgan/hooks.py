"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from ganzoo_core.components import Config, Loss, Regularizer


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_wgan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_loss(component: str, config: Any) -> Loss:
    from ganzoo_plugin_wgan.losses import WassersteinLoss

    return WassersteinLoss()


@hookimpl
def ganzoo_regularizer(component: str, config: Any) -> Regularizer:
    from ganzoo_plugin_wgan.clipping import WeightClipping

    return WeightClipping(config)
