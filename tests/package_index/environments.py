"""Fresh environments that see everything this one has installed, except ganzoo.

Installing torch anew for each would take minutes. So the packages themselves are seen through a
path file, and of their metadata a copy is there that says which versions they are: installers find
the requirements met, and cannot remove anything through it.
"""

import atexit
import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from fake_plugins import Answer
from packaging.requirements import Requirement

from .wheels import ROOT

_OURS = ("ganzoo", "somebodys", "_editable_impl_", "__editable__", "_virtualenv", "pip", "uv")


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path
    settings: ClassVar[dict[str, str]] = {}
    """Variables of every process, for a test to set."""

    @classmethod
    def create(cls, folder: Path, *, pip: bool = True) -> "Environment":
        """Make an environment, with pip or without."""
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120
        )
        environment = cls(folder)
        outside = [_packages(), *([_pip()] if pip else [])]
        (environment.site / "outside.pth").write_text("".join(f"{path}\n" for path in outside))
        # uv looks nowhere else for what is installed.
        for name in _needed_by_the_core():
            for info in _packages().glob(f"{name}-*.dist-info"):
                shutil.copytree(info, environment.site / info.name)
        return environment

    def copied(self, folder: Path) -> "Environment":
        """Return a copy; its scripts still run the original's Python, its Python is its own."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Environment(folder)

    def remove_pip(self) -> None:
        """Leave an environment as uv makes them."""
        (self.site / "outside.pth").write_text(f"{_packages()}\n")

    @property
    def site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, stdin: str | None = None, **variables: str) -> Answer:
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=self.variables(**variables),
            capture_output=True,
            input=stdin or "",
            text=True,
            timeout=240,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment of a process; only what a test names configures the installers."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "PYTHON", "GANZOO_", "VIRTUAL_ENV"))
        }
        settings = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(self.folder / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "GANZOO_CACHE": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return kept | settings | self.settings | more

    def pip(self, *arguments: str | Path, **variables: str) -> Answer:
        return self.run(self.python, "-m", "pip", *arguments, **variables)

    def ganzoo(self, *arguments: str | Path, stdin: str | None = None, **variables: str) -> Answer:
        command = (self.python, "-m", "ganzoo_core", *arguments)
        return self.run(*command, stdin=stdin, **variables)


def find_uv() -> str:
    """Return the path of uv, or skip the test."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    # Version managers put a script of that name on the path which finds nothing.
    if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
        pytest.skip("uv is not on this machine")
    return found


_folders: dict[str, Path] = {}


def _packages() -> Path:
    """Return a folder with links to all installed packages but ganzoo's and the installers."""
    if "packages" not in _folders:
        folder = _temporary("ganzoo-packages-")
        for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            for path in Path(site).iterdir():
                if path.name.startswith(_OURS) or path.suffix in (".pth", ".egg-link"):
                    continue
                if path.suffix == ".dist-info":
                    _copy_metadata(path, folder / path.name)
                else:
                    (folder / path.name).symlink_to(path)
        _folders["packages"] = folder
    return _folders["packages"]


def _temporary(prefix: str) -> Path:
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _copy_metadata(info: Path, copy: Path) -> None:
    """Write which version of what is installed.

    What it needs is left out: it is all here, and pip would take seconds to find that out.
    """
    copy.mkdir()
    name, version = info.stem.rsplit("-", 1)
    (copy / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (copy / "INSTALLER").write_text("test\n")
    files = ("METADATA", "INSTALLER", "RECORD")
    (copy / "RECORD").write_text("".join(f"{info.name}/{name},,\n" for name in files))


def _needed_by_the_core() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [Requirement(line).name for line in project["dependencies"]]
    return [name.replace("-", "_") for name in (*names, "torchvision")]


def _pip() -> Path:
    """Return a folder that holds pip: that of the Python below, or the one that comes with it."""
    if "pip" not in _folders:
        folder = _temporary("ganzoo-pip-")
        below = Path(sysconfig.get_path("purelib", vars={"base": sys.base_prefix}))
        for path in (below / "pip", *below.glob("pip-*.dist-info")):
            if path.is_dir():
                (folder / path.name).symlink_to(path)
        if not (folder / "pip").exists():
            _unpack_pip(folder)
        _folders["pip"] = folder
    return _folders["pip"]


def _unpack_pip(folder: Path) -> None:
    spec = importlib.util.find_spec("ensurepip")
    bundled = spec and spec.origin and sorted(Path(spec.origin).parent.glob("_bundled/pip-*"))
    if not bundled:
        pytest.skip("this Python comes without pip")
    with zipfile.ZipFile(bundled[-1]) as wheel:
        wheel.extractall(folder)
    # Once for all environments; otherwise every start of it would take seconds.
    compileall.compile_dir(folder, quiet=1)
