"""Install a plugin, by its own name or by that of a variant.

The name is looked up in the registry, which says which distribution, version and hash it stands
for; pip or uv makes the plan, from wheels only, and what the index delivers is checked before
anything is installed. Plugins are code: once installed, they run with all your rights.
"""

import argparse
import sys
from typing import Any

from ganzoo_core.cli.options import add_json
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.errors import PluginError

EXAMPLES = """\
examples:
  ganzoo install dcgan
  ganzoo install ganzoo-plugin-stylegan --yes
  ganzoo install somebodys-gan --unlisted --index-url https://packages.example.org/simple
"""

HEADER = ("DISTRIBUTION", "VERSION", "LICENCE", "REGISTRY", "SHA256")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="a plugin, or a variant that the registry lists")
    parser.add_argument(
        "--unlisted", action="store_true", help="trust the index for what the registry lacks"
    )
    parser.add_argument("--index-url", metavar="URL", help="the package index to ask")
    parser.add_argument(
        "--extra-index-url", metavar="URL", action="append", default=[], help="one more to ask"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and leave")
    parser.add_argument(
        "--allow-torch-change", action="store_true", help="let it replace torch or torchvision"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Plan, show, ask, install."""
    from ganzoo_core.registry.installers import Index, find_installer, installed_version
    from ganzoo_core.registry.installing import (
        RIGHTS,
        draw_up,
        read_checked_registry,
        resolve,
    )

    registry = read_checked_registry()
    if registry.note:
        print(registry.note, file=sys.stderr)
    wanted = resolve(registry, options.name, unlisted=options.unlisted)
    installer = find_installer(Index(options.index_url, tuple(options.extra_index_url)))
    plan = draw_up(
        registry,
        wanted,
        installer,
        unlisted=options.unlisted,
        allow_torch_change=options.allow_torch_change,
    )
    described = [
        {
            "distribution": item.name,
            "version": item.version,
            "replaces": item.installed,
            "licence": item.license,
            "registry": (registry.plugin(item.name) or {}).get("tier", ""),
            "sha256": item.sha256,
        }
        for item in plan.items
    ]
    if options.json:
        print_json({"installer": installer.name, "plan": described, "dry_run": options.dry_run})
    elif not plan.items:
        version = installed_version(wanted.distribution)
        print(f"{wanted.distribution} {version} is installed already")
    else:
        print(table(HEADER, [_row(item) for item in described], elastic=HEADER.index("LICENCE")))
        print(f"\n{RIGHTS}")
    if options.dry_run or not plan.items:
        return 0
    if not options.yes and not _agreed(len(plan.items)):
        print("nothing was installed", file=sys.stderr)
        return 1
    try:
        installer.install(plan.items)
    except KeyboardInterrupt:
        raise PluginError(
            f"interrupted while {installer.name} was installing; run the same command again, which "
            "mends what is incomplete"
        ) from None
    if not options.json:
        _report([facts.name for facts in plan.plugins])
    return 0


def _row(item: dict[str, Any]) -> list[str]:
    version = f"{item['replaces']} → {item['version']}" if item["replaces"] else item["version"]
    return [
        item["distribution"],
        version,
        item["licence"] or "not stated",
        item["registry"] or "-",
        item["sha256"],
    ]


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise PluginError("there is no terminal to ask for consent; to give it, add --yes")
    question = f"install {'this' if count == 1 else f'these {count}'}? [y/N] "
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _report(distributions: list[str]) -> None:
    from ganzoo_core.plugins import read_installed
    from ganzoo_core.registry.environment import advice

    for plugin in read_installed().plugins:
        if plugin.distribution in distributions:
            names = [entry["name"] for entry in plugin.manifest.get("variants", ())]
            brought = f", with {', '.join(names)}; try: ganzoo info {names[0]}" if names else ""
            print(f"installed {plugin.distribution} {plugin.version}{brought}")
            if plugin.problem:
                print(f"it is left out: {plugin.problem}")
    if distributions and (said := advice(distributions)):
        print(said)
