"""Plugins: what is installed, what it says it has, and how it is built.

Reading manifests (`read_installed`) imports next to nothing; pluggy and pydantic are imported only
where a plugin's code is about to be called or its manifest checked in full.
"""

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins.installed import (
    API_VERSION,
    ENTRY_POINT_GROUP,
    KINDS,
    MANIFEST_NAME,
    Installed,
    Kind,
    Plugin,
    Variant,
    read_installed,
)

if TYPE_CHECKING:
    from ganzoo_core.plugins.hookspecs import hookimpl
    from ganzoo_core.plugins.loader import Hooks, load_plugin
    from ganzoo_core.plugins.schema import Manifest

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "KINDS",
    "MANIFEST_NAME",
    "Hooks",
    "Installed",
    "Kind",
    "Manifest",
    "Plugin",
    "Variant",
    "hookimpl",
    "load_plugin",
    "read_installed",
]

_HEAVY = {
    "hookimpl": "ganzoo_core.plugins.hookspecs",
    "Hooks": "ganzoo_core.plugins.loader",
    "load_plugin": "ganzoo_core.plugins.loader",
    "Manifest": "ganzoo_core.plugins.schema",
}


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HEAVY[name]), name)
