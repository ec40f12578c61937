"""How long looking takes: `ganzoo list` with 50 plugins, and `ganzoo search` in 10,000 entries.

    python benchmarks/list_speed.py [--rounds 21]

Promised: `ganzoo list` with 50 plugins takes at most 3 times as long as
`python -c "import argparse, json"`, and `ganzoo search` in a registry of 10,000 entries at most
twice as long as that `ganzoo list`. The commands take turns, so that whatever else the machine does
meets them alike, and the medians are compared. Nothing is asserted here; look at the ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "plugins/ganzoo-plugin-dcgan/src/ganzoo_plugin_dcgan/ganzoo-plugin.json"
PLUGINS, ENTRIES = 50, 10_000


def install_plugins(site: Path, count: int) -> None:
    """Write made-up plugins with manifests of usual length."""
    for number in range(count):
        package = f"somebodys_gan_{number}"
        folder, info = site / package, site / f"{package}-1.0.dist-info"
        folder.mkdir(parents=True)
        info.mkdir()
        (folder / "__init__.py").touch()
        (folder / "ganzoo-plugin.json").write_text(json.dumps(manifest(f"variant-{number}")))
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ganzoo.plugins]\nv = {package}.hooks\n")


def manifest(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    content["variants"][0]["name"] = name
    return content


def write_registry(path: Path, entries: int) -> None:
    """Write a registry with half as many plugins as entries, and papers for the other half."""
    known = json.loads((ROOT / "registry.json").read_text(encoding="utf-8"))
    papers = known["papers"] * (1 + entries // len(known["papers"]))
    plugins = []
    for number in range(entries // 2):
        entry = dict(known["plugins"][number % len(known["plugins"])])
        entry |= manifest(f"variant-{number}")
        del entry["api"]
        plugins.append(entry | {"name": f"somebodys-gan-{number}", "api": "1.0", "tier": "listed"})
    content = {"schema": 1, "plugins": plugins, "papers": papers[: entries - len(plugins)]}
    path.write_text(json.dumps(content), encoding="utf-8")


def seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    ganzoo = [sys.executable, "-m", "ganzoo_core"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        install_plugins(folder / "site", PLUGINS)
        write_registry(folder / "registry.json", ENTRIES)
        environment = os.environ | {
            "PYTHONPATH": str(folder / "site"),
            "GANZOO_CACHE": str(folder / "cache"),
            "GANZOO_REGISTRY": str(folder / "registry.json"),
        }
        commands = {
            "python": [sys.executable, "-c", "import argparse, json"],
            "list": [*ganzoo, "list"],
            "search": [*ganzoo, "search", "cyclegna"],
            "search by title": [*ganzoo, "search", "image", "translation"],
        }
        first = seconds(commands["search"], environment)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                times[name].append(seconds(command, environment))
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        print(f"{name:<16} {1000 * value:6.1f} ms  (median of {rounds})")
    print(f"{'first search':<16} {1000 * first:6.1f} ms  (makes the index; once per registry)")
    print(f"list / python: {median['list'] / median['python']:.2f}, promised at most 3")
    slowest = max(median["search"], median["search by title"])
    print(f"search / list: {slowest / median['list']:.2f}, promised at most 2")


if __name__ == "__main__":
    main()
