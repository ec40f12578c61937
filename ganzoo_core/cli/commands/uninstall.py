"""Remove a plugin, by its own name or by that of a variant. None of its code is run."""

import argparse
import sys

from ganzoo_core.cli.options import completed
from ganzoo_core.errors import PluginError
from ganzoo_core.plugins import read_installed

EXAMPLES = """\
examples:
  ganzoo uninstall dcgan
  ganzoo uninstall ganzoo-plugin-dcgan --yes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    completed(
        parser.add_argument("name", help="a plugin, or one of its variants"),
        lambda **_: [plugin.distribution for plugin in read_installed().plugins],
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(options: argparse.Namespace) -> int:
    """Ask and remove."""
    from ganzoo_core.registry.installers import find_installer
    from ganzoo_core.registry.installing import dependents, find_installed, uninstall

    installed = read_installed()
    plugin = find_installed(installed, options.name)
    needed_by = dependents(installed, plugin.distribution)
    note = f" ({', '.join(needed_by)} will not work without it)" if needed_by else ""
    described = f"{plugin.distribution} {plugin.version}{note}"
    if not options.yes:
        if not sys.stdin.isatty():
            raise PluginError("there is no terminal to ask for consent; to give it, add --yes")
        try:
            answer = input(f"remove {described}? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            print("nothing was removed", file=sys.stderr)
            return 1
    uninstall(plugin, find_installer())
    print(f"removed {described}")
    return 0
