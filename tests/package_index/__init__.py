"""A package index on loopback, wheels to serve from it, and fresh environments to install into.

with PackageIndex() as index:
    index.add(*build(ROOT, ROOT / "plugins" / "ganzoo-plugin-gan", into=folder))
    environment = Environment.create(tmp_path / "environment")
    assert environment.pip("install", "--index-url", index.url, "ganzoo-plugin-gan").code == 0
    assert "gan" in environment.ganzoo("list").out
"""

from .environments import Environment, find_uv
from .server import PackageIndex
from .wheels import PLUGINS, ROOT, build, make_wheel, plugin_wheel

__all__ = [
    "PLUGINS",
    "ROOT",
    "Environment",
    "PackageIndex",
    "build",
    "find_uv",
    "make_wheel",
    "plugin_wheel",
]
