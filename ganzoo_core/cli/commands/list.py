"""Show the installed variants. Reads manifests only and runs no plugin's code."""

import argparse
from fnmatch import fnmatchcase
from typing import Any

from ganzoo_core.cli.options import add_json
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.plugins import Variant, read_installed

EXAMPLES = """\
examples:
  ganzoo list
  ganzoo list "*gan*" --pretrained
  ganzoo list --family autoencoder --json
  ganzoo list --claims
"""

HEADER = ("VARIANT", "FAMILY", "TASK", "PAPER", "YEAR", "PLUGIN", "VERSION", "PRETRAINED", "STATUS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("pattern", nargs="?", default="*", help='a wildcard, such as "*gan*"')
    parser.add_argument("--family", help="only this family, such as gan or autoencoder")
    parser.add_argument("--task", help="only this task, such as unconditional-image-generation")
    parser.add_argument("--pretrained", action="store_true", help="only those with weights")
    parser.add_argument(
        "--claims", action="store_true", help="what their papers claim, beside what was measured"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    installed = read_installed()
    shown = [variant for variant in installed.variants() if _wanted(variant, options)]
    if options.claims:
        return _show_claims(shown, options)
    if options.json:
        left_out = [
            {"plugin": plugin.distribution, "version": plugin.version, "problem": plugin.problem}
            for plugin in installed.broken
        ]
        print_json({"variants": [_described(variant) for variant in shown], "left_out": left_out})
        return 0
    if shown:
        rows = [_row(_described(variant)) for variant in shown]
        print(table(HEADER, rows, elastic=HEADER.index("PAPER")))
    elif installed.plugins:
        print("no installed variant matches")
    else:
        print("no plugin is installed; get all of ours with: pip install 'ganzoo-core[all]'")
    for plugin in installed.broken:
        print(f"left out: {plugin.distribution} {plugin.version}: {plugin.problem}")
    return 0


def _show_claims(variants: list[Variant], options: argparse.Namespace) -> int:
    from ganzoo_core.evaluation.claims.overview import HEADER, claim_rows

    found = [claim_rows(variant) for variant in variants]
    rows = [row for its_rows, _ in found for row in its_rows]
    notes = [note for _, its_notes in found for note in its_notes]
    if options.json:
        print_json({"claims": [row.to_json() for row in rows], "left_out": notes})
        return 0
    if rows:
        print(table(HEADER, [row.cells() for row in rows], elastic=HEADER.index("BUDGET")))
    else:
        print("no installed variant that matches declares a claim")
    for note in notes:
        print(note)
    return 0


def _wanted(variant: Variant, options: argparse.Namespace) -> bool:
    entry = variant.entry
    names = (entry["name"], variant.full_name, *entry.get("aliases", ()))
    return (
        any(fnmatchcase(name, options.pattern) for name in names)
        and options.family in (None, entry.get("family"))
        and options.task in (None, entry.get("task"))
        and bool(not options.pretrained or entry.get("pretrained"))
    )


def _described(variant: Variant) -> dict[str, Any]:
    entry = variant.entry
    paper = entry.get("paper")
    paper = paper if isinstance(paper, dict) else {}
    return {
        "name": variant.full_name if variant.short_name_taken_by else variant.name,
        "family": entry.get("family", ""),
        "task": entry.get("task", ""),
        "paper": paper.get("title", ""),
        "year": paper.get("year", ""),
        "plugin": variant.plugin.distribution,
        "version": variant.plugin.version,
        "pretrained": [
            str(weights.get("tag"))
            for weights in entry.get("pretrained", ())
            if isinstance(weights, dict)
        ],
        "status": _status(variant),
    }


def _status(variant: Variant) -> str:
    if variant.plugin.failure:
        return f"broken: {variant.plugin.failure}"
    if variant.short_name_taken_by:
        return f"name also claimed by {variant.short_name_taken_by}"
    return "ok"


def _row(described: dict[str, Any]) -> list[str]:
    cells = described | {"pretrained": " ".join(described["pretrained"]) or "-"}
    return [str(cells[column.lower() if column != "VARIANT" else "name"]) for column in HEADER]
