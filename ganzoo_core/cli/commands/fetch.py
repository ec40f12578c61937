"""Download weights, so that they can be loaded without a network later."""

import argparse

from ganzoo_core.cli.options import add_json, add_model
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo fetch dcgan.mnist
  ganzoo fetch somebody/my-gan@v1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Fetch and verify."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import downloading

    with downloading(quiet=options.json) as progress:
        origin = zoo.fetch(options.model, progress=progress)
    if options.json:
        found = {"place": origin.place, "where": origin.where, "verified": origin.verified}
        print_json(found | {"remarks": list(origin.remarks)})
    else:
        state = "verified" if origin.verified else "not verified: no hashes are known"
        print(f"{options.model} is at hand ({origin.place}: {origin.where}; {state})")
        for remark in origin.remarks:
            print(remark)
    return 0
