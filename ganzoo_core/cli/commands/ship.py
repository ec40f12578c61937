"""Make a trained model part of a plugin's package, pinned in the plugin's manifest.

For weights of a few megabytes; larger ones belong on the Hub: see ganzoo publish.
"""

import argparse

from ganzoo_core.cli.options import add_json, path
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo ship runs/mnist plugins/ganzoo-plugin-dcgan --tag mnist --half --license MIT
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", type=path, help="a run's folder or a model folder")
    parser.add_argument("plugin", type=path, help="the plugin's source folder")
    parser.add_argument("--tag", required=True, help="to load it by, as VARIANT.TAG")
    parser.add_argument("--license", required=True, help="SPDX identifier of the weights' licence")
    parser.add_argument("--summary", default="", help="what the weights are, in a line")
    parser.add_argument("--half", action="store_true", help="store half-precision numbers")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write the files and the manifest's entry."""
    import ganzoo_core as zoo
    from ganzoo_core.hub.shipping import ship

    entry = ship(
        zoo.load(options.model),
        options.plugin,
        options.tag,
        license=options.license,
        summary=options.summary,
        half=options.half,
    )
    if options.json:
        print_json(entry)
    else:
        size = sum(file["size"] for file in entry["files"])
        print(f"{entry['shipped']}: {size / 1e6:.1f} MB, pinned in the plugin's manifest")
    return 0
