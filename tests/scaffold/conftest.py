"""A new plugin of each kind: written, built, and installed into a folder of its own."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from package_index.wheels import build

from ganzoo_core.scaffold import KINDS, write_plugin

NAMES = {
    "gan": "q",
    "autoencoder": "folding-paper-2",
    "loss": "patience",
    "translator": "ink-to-line",
}
"""One name a kind, unlike in length, words and digits."""


@dataclass(frozen=True)
class Written:
    """A new plugin and its built distributions."""

    kind: str
    folder: Path
    source: Path
    wheel: Path

    @property
    def name(self) -> str:
        return NAMES[self.kind]

    @property
    def package(self) -> str:
        return f"ganzoo_plugin_{self.name}".replace("-", "_")


@pytest.fixture(scope="session")
def all_written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    root = tmp_path_factory.mktemp("new")
    folders = {
        kind: write_plugin(
            NAMES[kind], kind=kind, out=root / kind, author='Ann "A." O\\Hara', license="MIT"
        )
        for kind in KINDS
    }
    built = build(*folders.values(), into=root / "dist")
    return {
        kind: Written(kind, folders[kind], *built[2 * number : 2 * number + 2])
        for number, kind in enumerate(folders)
    }


@pytest.fixture(params=list(KINDS))
def written(request: pytest.FixtureRequest, all_written: dict[str, Written]) -> Written:
    """Each kind in turn."""
    return all_written[request.param]


@pytest.fixture
def install() -> Callable[[Path, Path], None]:
    """Install a wheel into a folder with pip: this environment's, or the one Python brings."""
    pip = ["-m", "pip"]
    if not importlib.util.find_spec("pip"):
        spec = importlib.util.find_spec("ensurepip")
        bundled = spec and spec.origin and sorted(Path(spec.origin).parent.glob("_bundled/pip-*"))
        if not bundled:
            pytest.skip("there is no pip here, and this Python comes without one")
        pip = [f"{bundled[-1]}/pip"]

    def installing(wheel: Path, site: Path) -> None:
        arguments = ("install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
        subprocess.run([sys.executable, *pip, *map(str, arguments)], check=True, timeout=120)

    return installing
