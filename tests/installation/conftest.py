import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from package_index import PLUGINS, ROOT, Environment, PackageIndex, build

from ganzoo_core.registry.entries import empty, to_text, with_plugin
from ganzoo_core.registry.wheels import read_wheel


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Source distributions and wheels of every project of this repository."""
    return build(ROOT, *PLUGINS, into=tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def wheels(built: list[Path]) -> list[Path]:
    return [path for path in built if path.suffix == ".whl"]


@pytest.fixture
def index(wheels: list[Path]) -> Iterator[PackageIndex]:
    """An index that serves our wheels."""
    with PackageIndex() as index:
        index.add(*wheels)
        yield index


@pytest.fixture(scope="session")
def _with_core(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment.create(tmp_path_factory.mktemp("core") / "environment")
    core = next(path for path in wheels if path.name.startswith("ganzoo_core-"))
    done = environment.pip("install", "--no-index", "--no-deps", core)
    assert done.code == 0, done.err
    return environment


@pytest.fixture
def environment(_with_core: Environment, tmp_path: Path) -> Environment:
    """A fresh environment in which only the core is installed."""
    return _with_core.copied(tmp_path / "environment")


@pytest.fixture
def list_in_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """List wheels in the registry that the commands use, and change what a test wants changed."""
    path = tmp_path / "registry.json"

    def list_wheels(*wheels: Path, tier: str = "listed", **changes: Any) -> dict[str, Any]:
        content = json.loads(path.read_text()) if path.exists() else empty()
        for wheel in wheels:
            if "core" not in wheel.name:
                content = with_plugin(content, read_wheel(wheel), tier=tier)
                for plugin in content["plugins"]:
                    if plugin["name"] == read_wheel(wheel).facts.name:
                        plugin.update(changes)
        path.write_text(to_text(content))
        return content

    list_wheels()
    monkeypatch.setattr(Environment, "settings", {"GANZOO_REGISTRY": str(path)})
    return list_wheels
