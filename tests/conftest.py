import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_plugins import FakePlugins, Ganzoo, GanzooHere


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tests out of the user's cache, and let them share decoded data."""
    cache = tmp_path_factory.getbasetemp() / "ganzoo-cache"
    if "GANZOO_CACHE" not in os.environ:
        monkeypatch.setenv("GANZOO_CACHE", str(cache))
    return cache


@pytest.fixture(autouse=True)
def own_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's data."""
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "ganzoo-data"))


@pytest.fixture
def plugins(tmp_path: Path) -> FakePlugins:
    """A folder on the path of the commands under test, to install made-up plugins into."""
    return FakePlugins(tmp_path / "site-packages")


@pytest.fixture
def ganzoo(plugins: FakePlugins, tmp_path: Path) -> Ganzoo:
    """The command line in a process of its own, which sees the made-up plugins too."""
    return Ganzoo(plugins, tmp_path)


@pytest.fixture
def ganzoo_here(
    plugins: FakePlugins,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[GanzooHere]:
    """The command line within this process, in a folder of its own, with the made-up plugins."""
    monkeypatch.syspath_prepend(str(plugins.site))
    monkeypatch.setenv("PYTHONPATH", str(plugins.site))  # for processes that a command starts
    monkeypatch.chdir(tmp_path)
    yield GanzooHere(capsys)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(plugins.site)):
            del sys.modules[name]  # the next test's plugin may have the same name


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Find real data, which developers and CI have and users do not."""

    def find(name: str) -> Path:
        root = Path(os.environ.get("GANZOO_SHARED", Path(__file__).parents[2] / "shared"))
        path = root / name
        if not path.exists():
            pytest.skip(f"{path} is not on this machine")
        return path

    return find
