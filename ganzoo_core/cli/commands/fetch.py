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
        print_json({"place": origin.place, "where": origin.where, "verified": origin.verified})
    else:
        state = "verified" if origin.verified else "not verified: no hashes are known"
        print(f"{options.model} is at hand ({origin.place}: {origin.where}; {state})")
    return 0
