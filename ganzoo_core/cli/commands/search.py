"""Search plugins and papers by name or title; spelling need not be exact.

What is found is installed, can be installed, or is only a paper that nobody has written a plugin
for yet. The registry that is searched came with this release or with `ganzoo registry update`.
"""

import argparse
from typing import Any

from ganzoo_core.cli.options import add_json, positive
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.plugins import read_installed
from ganzoo_core.registry.searching import Found, search

EXAMPLES = """\
examples:
  ganzoo search began
  ganzoo search image translation
  ganzoo search super resolution --json
"""

HEADER = ("NAME", "YEAR", "TITLE", "STATUS", "LINK")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("words", nargs="+", help="a name, or words of a title")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="default 20")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print what resembles the words, the best first."""
    query = " ".join(options.words)
    plugins = read_installed().plugins
    installed = {plugin.distribution for plugin in plugins}
    found = [
        _described(entry, installed) for entry in search(query, options.limit, installed=plugins)
    ]
    if options.json:
        print_json(found)
    elif not found:
        print(f"nothing resembles {query!r}; every paper that is known: ganzoo search gan")
    else:
        rows = [[entry[column.lower()] for column in HEADER] for entry in found]
        print(table(HEADER, rows, elastic=HEADER.index("TITLE")))
    return 0


def _described(found: Found, installed: set[str]) -> dict[str, Any]:
    if found.kind == "paper":
        status = "only a paper"
    elif found.plugin in installed:
        status = "installed"
    else:
        status = f"ganzoo install {found.plugin}"
    return {**found._asdict(), "status": status}
