"""Show the installed plugins, or print the requirements that restore them elsewhere."""

import argparse
from typing import Any

from ganzoo_core.cli.options import add_json
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.plugins import Plugin, read_installed

EXAMPLES = """\
examples:
  ganzoo plugins
  ganzoo plugins --requirements > plugins.txt
"""

HEADER = ("PLUGIN", "VERSION", "API", "VARIANTS", "STATUS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--requirements", action="store_true", help="print what pip and uv restore them from"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the plugins."""
    plugins = read_installed().plugins
    if options.requirements:
        from ganzoo_core.registry.requirements import requirement

        names = dict.fromkeys(["ganzoo-core", *(plugin.distribution for plugin in plugins)])
        lines = [requirement(name) for name in names]
        if options.json:
            print_json(lines)
        else:
            print("\n".join(lines))
        return 0
    described = [_described(plugin) for plugin in plugins]
    if options.json:
        print_json(described)
    elif described:
        rows = [[str(entry[column.lower()]) for column in HEADER] for entry in described]
        print(table(HEADER, rows, elastic=HEADER.index("STATUS")))
    else:
        print("no plugin is installed; find one with: ganzoo search WORDS")
    return 0


def _described(plugin: Plugin) -> dict[str, Any]:
    return {
        "plugin": plugin.distribution,
        "version": plugin.version,
        "api": plugin.manifest.get("api", "-"),
        "variants": len(plugin.manifest.get("variants", ())),
        "status": plugin.problem or (f"broken: {plugin.failure}" if plugin.failure else "ok"),
    }
