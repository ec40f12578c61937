"""Look for what is wrong with this installation, and say what to do about it.

Every plugin is imported in a process of its own, so that a broken one can harm nothing.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ganzoo_core.cli.options import add_json
from ganzoo_core.cli.render import facts, print_json
from ganzoo_core.places import cache_folder
from ganzoo_core.plugins import Plugin, read_installed
from ganzoo_core.plugins.installed import note_import

EXAMPLES = """\
examples:
  ganzoo doctor
  ganzoo doctor --json
"""

_PACKAGES = ("ganzoo-core", "torch", "torchvision", "timm", "huggingface-hub", "accelerate")
_SECONDS_FOR_A_PLUGIN = 60.0
_MINIMUM_SPACE = 2 * 10**9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was found; exit code 1 where something is wrong."""
    installed = read_installed()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        plugins = list(pool.map(_diagnosed, installed.plugins))
    for variant in installed.variants():
        if variant.short_name_taken_by:
            for plugin in plugins:
                if plugin["plugin"] == variant.plugin.distribution and not plugin["problem"]:
                    plugin["note"] = (
                        f"its name {variant.name!r} is also claimed by "
                        f"{variant.short_name_taken_by}; use {variant.full_name}"
                    )
    environment = _environment()
    warnings = _warnings()
    if options.json:
        print_json({"environment": environment, "plugins": plugins, "warnings": warnings})
    else:
        print(facts(list(environment.items())))
        print()
        for plugin in plugins:
            said = plugin["problem"] or plugin.get("note") or "ok"
            print(f"{plugin['plugin']} {plugin['version']}: {said}")
        if not plugins:
            print("no plugin is installed; get all of ours with: pip install 'ganzoo-core[all]'")
        for warning in warnings:
            print(f"warning: {warning}")
    return 1 if warnings or any(plugin["problem"] for plugin in plugins) else 0


def _diagnosed(plugin: Plugin) -> dict[str, Any]:
    problem = plugin.problem or _import_problem(plugin)
    return {"plugin": plugin.distribution, "version": plugin.version, "problem": problem}


def _import_problem(plugin: Plugin) -> str:
    """Load a plugin in another process and return what went wrong, or nothing."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ganzoo_core.plugins.probe", plugin.distribution],
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_A_PLUGIN,
        )
    except subprocess.TimeoutExpired:
        return _noted(plugin, f"importing it takes longer than {_SECONDS_FOR_A_PLUGIN:.0f} s")
    if done.returncode == 0:
        return ""
    said = done.stdout.strip()
    return said or _noted(plugin, f"importing it ended Python with code {done.returncode}")


def _noted(plugin: Plugin, failure: str) -> str:
    note_import(plugin.distribution, plugin.folder, failure)
    return failure


def _environment() -> dict[str, str]:
    packages = {name: _version(name) for name in _PACKAGES}
    return {
        "python": f"{platform.python_version()} at {sys.executable}",
        "system": platform.platform(),
        **packages,
        "cache": cache_folder(),
        "Hub": os.environ.get("HF_ENDPOINT", "the default endpoint")
        + (", offline" if os.environ.get("HF_HUB_OFFLINE") in ("1", "true", "ON") else ""),
    }


def _warnings() -> list[str]:
    warnings = []
    if _version("ganzoo") != "not installed":
        warnings.append(
            "the distribution 'ganzoo' is somebody else's placeholder, not ours; "
            "remove it with: pip uninstall ganzoo"
        )
    cache = cache_folder()
    try:
        os.makedirs(cache, exist_ok=True)  # noqa: PTH103
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        warnings.append(f"the cache {cache} cannot be written; set GANZOO_CACHE to another folder")
    elif shutil.disk_usage(cache).free < _MINIMUM_SPACE:
        warnings.append(f"less than 2 GB are free where the cache {cache} lies")
    return warnings


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
