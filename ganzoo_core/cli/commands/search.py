"""Search plugins and papers by name or title; spelling need not be exact.

What is found is installed, can be installed, or is only a paper that nobody has written a plugin
for yet. The registry that is searched came with this release or with `ganzoo registry update`; with
--hub the Hub's models that ganzoo can load are searched instead.
"""

import argparse
from typing import Any

from ganzoo_core.cli.options import add_json, positive
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.errors import ConfigError
from ganzoo_core.plugins import read_installed
from ganzoo_core.registry.searching import Found, search

EXAMPLES = """\
examples:
  ganzoo search began
  ganzoo search image translation
  ganzoo search super resolution --json
  ganzoo search --hub mnist
"""

HEADER = ("NAME", "YEAR", "TITLE", "STATUS", "LINK")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("words", nargs="*", help="a name, or words of a title")
    parser.add_argument("--hub", action="store_true", help="models on the Hub, all without words")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="default 20")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print what resembles the words, the best first."""
    query = " ".join(options.words)
    if options.hub:
        return _search_hub(query, options)
    if not query:
        raise ConfigError("say what to search for, such as: ganzoo search began")
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


def _search_hub(query: str, options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ganzoo_core.hub.upload import search_hub

    found = search_hub(query or None, options.limit)
    if options.json:
        changed = [model.last_modified for model in found]
        print_json(
            [
                asdict(model) | {"last_modified": when.isoformat() if when else None}
                for model, when in zip(found, changed, strict=True)
            ]
        )
    elif not found:
        print("no model on the Hub matches")
    else:
        rows = [[model.id, str(model.downloads), model.license or "not stated"] for model in found]
        print(table(("MODEL", "DOWNLOADS", "LICENCE"), rows, elastic=0))
        print("load one with: ganzoo load MODEL")
    return 0


def _described(found: Found, installed: set[str]) -> dict[str, Any]:
    if found.kind == "paper":
        status = "only a paper"
    elif found.plugin in installed:
        status = "installed"
    else:
        status = f"ganzoo install {found.plugin}"
    return {**found._asdict(), "status": status}
