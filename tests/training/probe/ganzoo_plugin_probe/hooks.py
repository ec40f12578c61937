from __future__ import annotations

from typing import Any

from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component: str) -> Any:
    from ganzoo_plugin_probe import trainers

    return trainers.CONFIGS.get(component)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Any) -> Any:
    from ganzoo_plugin_probe import trainers

    return trainers.TRAINERS[component](config, parts)
