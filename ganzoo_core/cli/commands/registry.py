"""Fetch the newest registry; make an entry of it; check the whole of it."""

import argparse
from pathlib import Path

from ganzoo_core.cli.options import add_json, path
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo registry update
  ganzoo registry add dist/my_variant-0.1.0-py3-none-any.whl --file registry.json
  ganzoo registry validate registry.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    update = actions.add_parser("update", help="fetch the newest registry from the Hub")
    add_json(update)
    add = actions.add_parser(
        "add", help="make or renew a plugin's entry from its wheel, which is not imported"
    )
    add.add_argument("wheel", type=path, help="the very file that is or will be published")
    add.add_argument(
        "--file", type=path, default=Path("registry.json"), help="the registry to add to"
    )
    add.add_argument("--tier", choices=("official", "listed"), help="default: as before, or listed")
    add.add_argument(
        "--unpublished", action="store_true", help="leave its hash open until it is published"
    )
    add.add_argument(
        "--yank", action="append", default=[], metavar="VERSION", help="a version not to install"
    )
    validate = actions.add_parser("validate", help="check names, licences, links and hashes")
    validate.add_argument("file", type=path, nargs="?", default=Path("registry.json"))
    add_json(validate)


def run(options: argparse.Namespace) -> int:
    """Do what is asked of the registry."""
    actions = {"update": _update, "add": _add, "validate": _validate}
    return actions[options.action](options)


def _update(options: argparse.Namespace) -> int:
    from ganzoo_core.registry.updating import update

    done = update()
    if options.json:
        print_json(done._asdict())
        return 0
    state = "updated" if done.changed else "up to date"
    print(f"{done.source} is {state}: {done.plugins} plugins, {done.papers} papers")
    return 0


def _add(options: argparse.Namespace) -> int:
    from ganzoo_core.registry.entries import add_to_file

    entry = add_to_file(
        options.file,
        options.wheel,
        tier=options.tier,
        published=not options.unpublished,
        yanked=options.yank,
    )
    print(f"{options.file} lists {entry['name']} {entry['latest']['version']} ({entry['tier']})")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from ganzoo_core.registry.entries import check
    from ganzoo_core.registry.reading import load_json

    content = load_json(str(options.file))
    problems = check(content, str(options.file))
    if options.json:
        print_json({"file": str(options.file), "problems": problems})
    elif problems:
        print("\n".join(problems))
    else:
        count = len(content["plugins"]), len(content["papers"])
        print(f"{options.file} is valid: {count[0]} plugins, {count[1]} papers")
    return 1 if problems else 0
