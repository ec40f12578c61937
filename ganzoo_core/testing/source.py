"""Checking a plugin that is not installed, from its source folder.

A process of its own finds the source as if it were installed: on its path are the folder that
holds the package, and generated metadata with the entry point that pyproject.toml declares.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganzoo_core.errors import PluginError
from ganzoo_core.plugins import ENTRY_POINT_GROUP
from ganzoo_core.plugins.installed import normalised
from ganzoo_core.testing.report import Report, Result


def check_source_folder(folder: Path, observe: Callable[[Result], None] | None = None) -> Report:
    """Run every check on the plugin whose source lies in `folder`.

    Raises:
        PluginError: the folder has no readable pyproject.toml with a plugin's entry point, or the
            package that it names is not there.
    """
    project = _project(folder / "pyproject.toml")
    name, entry_points = normalised(project["name"]), _entry_points(project, folder)
    packages = {module.partition(".")[0] for module in entry_points.values()}
    root = _root_of(folder.resolve(), packages)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as metadata:
        _write_metadata(Path(metadata), name, str(project.get("version", "0")), entry_points)
        path = os.pathsep.join((metadata, str(root), os.environ.get("PYTHONPATH", "")))
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ganzoo_core.testing", name],
            env=os.environ | {"PYTHONPATH": path.rstrip(os.pathsep)},
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                results.append(Result(**json.loads(line)))
                if observe:
                    observe(results[-1])
    if process.returncode:
        sentence = (
            "a plugin must not end the process that checks it, "
            f"and this one ended with exit code {process.returncode}"
        )
        results.append(Result("checks_finish", name, "failed", sentence))
        if observe:
            observe(results[-1])
    return Report(name, tuple(results))


def _project(file: Path) -> Mapping[str, Any]:
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        if not isinstance(project["name"], str):
            raise KeyError("name")
    except FileNotFoundError:
        raise PluginError(f"{file.parent} is not a plugin: it has no pyproject.toml") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PluginError(f"{file} does not describe a project ({error}); mend it first") from None
    return project  # type: ignore[no-any-return]


def _entry_points(project: Mapping[str, Any], folder: Path) -> dict[str, str]:
    declared = project.get("entry-points", {}).get(ENTRY_POINT_GROUP)
    if not isinstance(declared, dict) or not declared:
        raise PluginError(
            f"{folder} is not a plugin: its pyproject.toml declares nothing under "
            f'[project.entry-points."{ENTRY_POINT_GROUP}"]'
        )
    return {str(name): str(module) for name, module in declared.items()}


def _root_of(folder: Path, packages: set[str]) -> Path:
    for root in (folder / "src", folder):
        if all((root / package / "__init__.py").is_file() for package in packages):
            return root
    raise PluginError(
        f"{folder} has no package {' or '.join(sorted(packages))}, neither in src nor at its top; "
        "install the plugin and check it by its name"
    )


def _write_metadata(folder: Path, name: str, version: str, entry_points: dict[str, str]) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
    )
    lines = [f"{entry_point} = {module}" for entry_point, module in entry_points.items()]
    text = "\n".join([f"[{ENTRY_POINT_GROUP}]", *lines, ""])
    (info / "entry_points.txt").write_text(text, encoding="utf-8")
