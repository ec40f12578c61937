"""Show each known weight with its size and where it is; verify or remove them.

Reads manifests and files only, runs no plugin's code, and asks nobody on the network.
"""

import argparse

from ganzoo_core.cli.options import add_json
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.plugins import read_installed

EXAMPLES = """\
examples:
  ganzoo weights
  ganzoo weights --verify
  ganzoo weights --remove cyclegan.horse2zebra
"""

HEADER = ("WEIGHTS", "SIZE", "WHERE", "STATE", "LICENCE", "SUMMARY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--verify", action="store_true", help="hash every file that is here")
    parser.add_argument("--remove", metavar="NAME", help="remove downloaded weights")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """List, verify or remove; exit code 1 where something is damaged."""
    from ganzoo_core.hub.pretrained import find_weights, known_weights, remove, whereabouts

    installed = read_installed()
    if options.remove:
        weights = find_weights(installed, options.remove)
        freed = remove(weights)
        print(f"{weights.name}: {_readable(freed)} freed" if freed else "nothing to remove")
        return 0
    found = []
    for weights in known_weights(installed):
        place, state = whereabouts(weights, verify=options.verify)
        found.append(
            {
                "name": weights.name,
                "size": weights.size,
                "place": place,
                "state": state,
                "license": weights.entry.get("license", ""),
                "summary": weights.entry.get("summary", ""),
                "caveat": weights.caveat,
            }
        )
    if options.json:
        print_json(found)
    elif found:
        rows = [
            [
                str(row["name"]),
                _readable(int(str(row["size"]))) if row["size"] else "-",
                str(row["place"]),
                "-" if row["state"] == "absent" else str(row["state"]),
                str(row["license"]),
                f"{row['summary']} ({row['caveat']})" if row["caveat"] else str(row["summary"]),
            ]
            for row in found
        ]
        print(table(HEADER, rows, elastic=HEADER.index("SUMMARY")))
    else:
        print("no installed plugin declares pretrained weights")
    return 1 if any(row["state"] == "damaged" for row in found) else 0


def _readable(size: int) -> str:
    number, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
