import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import manifest
from package_index import ROOT, plugin_wheel

from ganzoo_core.registry.entries import to_text, with_plugin
from ganzoo_core.registry.wheels import read_wheel

Registry = dict[str, Any]


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own, and the registry of this release."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANZOO_REGISTRY", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def ours() -> Registry:
    """The registry of this repository."""
    content: Registry = json.loads((ROOT / "registry.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def listing(tmp_path: Path) -> Callable[..., Registry]:
    """Add a made-up plugin to a registry, by its wheel."""

    def add(registry: Registry, name: str, *variants: Registry, **options: Any) -> Registry:
        wheel = plugin_wheel(tmp_path / "wheels" / name, name, "1.0", manifest(*variants))
        return with_plugin(registry, read_wheel(wheel), **options)

    return add


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Registry], Path]:
    """Let the commands use a registry."""

    def write(registry: Registry) -> Path:
        path = tmp_path / "registry.json"
        path.write_text(to_text(registry), encoding="utf-8")
        monkeypatch.setenv("GANZOO_REGISTRY", str(path))
        return path

    return write
