"""pip and uv, as far as installing a plugin needs them: plan, unpack, install, uninstall.

Which index to use, its credentials and certificates are their own configuration's business. pip is
used where the environment has it (that of pipx has, too); an environment that uv made has none, and
is served by uv, or by a pip elsewhere that is told which Python it works for.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ganzoo_core.errors import PluginError
from ganzoo_core.plugins.installed import normalised
from ganzoo_core.registry.reading import printable


class Planned(NamedTuple):
    """A distribution that would be installed."""

    name: str
    version: str
    installed: str
    """The version that it would replace; empty where there is none."""
    sha256: str
    license: str
    """Empty where the plan does not tell."""
    requires: tuple[str, ...] | None
    """Names of the distributions that it needs; None where the plan does not tell."""


class Installer(Protocol):
    """A tool that installs distributions into the environment of this Python."""

    name: str

    def plan(self, requirement: str, constraints: Sequence[str]) -> list[Planned]:
        """Return what installing a requirement would change; wheels only, nothing is installed."""

    def unpack(self, planned: Iterable[Planned], folder: Path) -> None:
        """Unpack the planned wheels into a folder, after comparing their hashes."""

    def install(self, planned: Iterable[Planned]) -> None:
        """Install exactly what was planned, by hash."""

    def uninstall(self, distribution: str) -> None:
        """Remove a distribution."""


class Index(NamedTuple):
    """Which package index to ask; by default that of the installer's own configuration."""

    url: str | None = None
    extra_urls: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """Return the options by which pip and uv know it."""
        options = ["--index-url", self.url] if self.url else []
        return options + [part for url in self.extra_urls for part in ("--extra-index-url", url)]


def find_installer(index: Index = Index()) -> Installer:  # noqa: B008 - it is immutable
    """Return the installer for this environment.

    Raises:
        PluginError: there is neither pip nor uv.
    """
    if find_spec("pip"):
        return Pip([sys.executable, "-m", "pip"], index)
    beside = Path(sys.executable).with_name("uv")
    uv = os.environ.get("UV") or (str(beside) if beside.exists() else shutil.which("uv"))
    if uv:
        return Uv(uv, index)
    if pip := shutil.which("pip"):
        return Pip([pip, "--python", sys.executable], index)
    raise PluginError(
        "neither pip nor uv was found, and one of them has to install plugins; "
        f"run: {sys.executable} -m ensurepip"
    )


def installed_version(distribution: str) -> str:
    """Return the version that is installed, or nothing."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


class Pip:
    """pip 22.2 or newer, which can report a plan."""

    name = "pip"

    def __init__(self, command: list[str], index: Index) -> None:
        self._command = command
        self._index = index

    def plan(self, requirement: str, constraints: Sequence[str]) -> list[Planned]:
        """Return what pip's own dry run reports."""
        with tempfile.TemporaryDirectory(prefix="ganzoo-") as folder:
            report, limits = Path(folder, "report.json"), Path(folder, "constraints.txt")
            limits.write_text("\n".join(constraints))
            options = ["--dry-run", "--report", str(report), "--upgrade", *self._index.options()]
            self._run("install", *options, "--constraint", str(limits), requirement)
            try:
                items = json.loads(report.read_bytes())["install"]
                return [_planned_by_pip(item) for item in items]
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                raise PluginError(
                    "pip reported no plan that ganzoo can read; upgrade it with: "
                    "python -m pip install --upgrade pip"
                ) from None

    def unpack(self, planned: Iterable[Planned], folder: Path) -> None:
        """Unpack wheels with pip."""
        self._install_by_hash(planned, "--target", str(folder), "--no-compile")

    def install(self, planned: Iterable[Planned]) -> None:
        """Install with pip."""
        self._install_by_hash(planned)

    def uninstall(self, distribution: str) -> None:
        """Remove with pip."""
        _run([*self._command, "uninstall", "--yes", "--no-input", distribution], "pip")

    def _install_by_hash(self, planned: Iterable[Planned], *options: str) -> None:
        with tempfile.TemporaryDirectory(prefix="ganzoo-") as folder:
            requirements = _requirements(planned, Path(folder))
            wanted = ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
            self._run("install", *options, *wanted, *self._index.options())

    def _run(self, verb: str, *options: str) -> None:
        fixed = ["--quiet", "--no-input", "--only-binary", ":all:"]
        # A setting for all of pip would otherwise clash with --target.
        _run([*self._command, verb, *fixed, *options], "pip", PIP_USER="0")


class Uv:
    """uv, which plans in two steps: what would change, then the hashes of that."""

    name = "uv"

    def __init__(self, command: str, index: Index) -> None:
        self._command = command
        self._index = index

    def plan(self, requirement: str, constraints: Sequence[str]) -> list[Planned]:
        """Return the changes of uv's dry run with the hashes of the wheels that fit."""
        with tempfile.TemporaryDirectory(prefix="ganzoo-") as folder:
            limits = Path(folder, "constraints.txt")
            limits.write_text("\n".join(constraints))
            name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            options = ["--dry-run", "--upgrade-package", name, "--constraint", str(limits)]
            said = self._run("install", *options, requirement)
            found = re.findall(r"^ [+~] ([\w.-]+)==([^\s(]+)", said, re.MULTILINE)
            if not found:
                return []
            wanted = Path(folder, "wanted.txt")
            wanted.write_text("\n".join(f"{name}=={version}" for name, version in found))
            lock = Path(folder, "pylock.toml")
            options = ["--no-deps", "--output-file", str(lock), "--format", "pylock.toml"]
            self._run("compile", *options, str(wanted))
            try:
                packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
                return [_planned_by_uv(package) for package in packages]
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                raise PluginError(
                    "uv made no plan that ganzoo can read; upgrade it with: uv self update"
                ) from None

    def unpack(self, planned: Iterable[Planned], folder: Path) -> None:
        """Unpack wheels with uv."""
        self._install_by_hash(planned, "--target", str(folder))

    def install(self, planned: Iterable[Planned]) -> None:
        """Install with uv."""
        self._install_by_hash(planned)

    def uninstall(self, distribution: str) -> None:
        """Remove with uv."""
        command = [self._command, "pip", "uninstall", "--python", sys.executable, distribution]
        _run(command, "uv", NO_COLOR="1")

    def _install_by_hash(self, planned: Iterable[Planned], *options: str) -> None:
        with tempfile.TemporaryDirectory(prefix="ganzoo-") as folder:
            requirements = _requirements(planned, Path(folder))
            wanted = ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
            self._run("install", *options, *wanted)

    def _run(self, verb: str, *options: str) -> str:
        python = ["--python", sys.executable, "--only-binary", ":all:", *self._index.options()]
        return _run([self._command, "pip", verb, *python, *options], "uv", NO_COLOR="1")


def _planned_by_pip(item: dict[str, Any]) -> Planned:
    metadata, download = item["metadata"], item["download_info"]
    name = normalised(metadata["name"])
    archive = download["archive_info"]
    digest = archive.get("hashes", {}).get("sha256") or archive["hash"].removeprefix("sha256=")
    requires = (
        [re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in metadata["requires_dist"]]
        if ("requires_dist" in metadata)
        else []
    )
    return Planned(
        name,
        str(metadata["version"]),
        installed_version(name),
        str(digest),
        printable(metadata.get("license_expression") or metadata.get("license") or "")[:60],
        tuple(map(normalised, requires)),
    )


def _planned_by_uv(package: dict[str, Any]) -> Planned:
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    rank = {tag: number for number, tag in enumerate(sys_tags())}
    fitting = []
    for wheel in package["wheels"]:
        file = wheel.get("name") or str(wheel.get("url") or wheel["path"]).rpartition("/")[2]
        ranks = [rank[tag] for tag in parse_wheel_filename(file)[3] if tag in rank]
        if ranks:
            fitting.append((min(ranks), wheel["hashes"]["sha256"]))
    name = normalised(package["name"])
    digest = min(fitting)[1]
    return Planned(name, package["version"], installed_version(name), digest, "", None)


def _requirements(planned: Iterable[Planned], folder: Path) -> Path:
    path = folder / "requirements.txt"
    lines = [f"{item.name}=={item.version} --hash=sha256:{item.sha256}\n" for item in planned]
    path.write_text("".join(lines))
    return path


def _run(command: list[str], name: str, **variables: str) -> str:
    """Run an installer and return what it says.

    An interrupt is passed on once, and the installer gets the time to clean up behind itself: it is
    in a session of its own, because a terminal would interrupt it a second time.

    Raises:
        PluginError: it fails; the message has its reason.
    """
    try:
        process = subprocess.Popen(
            command,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise PluginError(f"{name} cannot be run ({command[0]}): {error.strerror}") from None
    try:
        said, _ = process.communicate()
    except KeyboardInterrupt:
        with suppress(ValueError):  # where the console has interrupted it already
            process.send_signal(signal.SIGINT)
        process.communicate()
        raise
    if process.returncode:
        raise PluginError(f"{name} could not do it: {_reason(said, process.returncode)}")
    return said


def _reason(said: str, code: int) -> str:
    """Return what an installer says is wrong, without its drawing, in one line."""
    lines = [line.strip(" \t│×╰├─▶╭") for line in said.splitlines()]
    lines = [
        line for line in lines if line and not line.startswith(("WARNING", "warning", "Using"))
    ]
    for number, line in enumerate(lines):
        if "externally-managed" in line or "externally managed" in line:
            return (
                "this Python is managed by the system, which forbids to install into it; make an "
                "environment with: python -m venv .venv"
            )
        if line.startswith(("ERROR:", "error:")):
            lines = lines[number:]
            break
    text = " ".join(line.removeprefix("ERROR: ").removeprefix("error: ") for line in lines)
    text = " ".join(printable(text).split()).rstrip(".")
    return text[:400] if text else f"it ended with code {code} and said nothing"
