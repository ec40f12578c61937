"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from ganzoo_core.components import Config, Regularizer


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_dragan import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_regularizer(component: str, config: Any) -> Regularizer:
    from ganzoo_plugin_dragan.penalty import Dragan

    return Dragan(config)
