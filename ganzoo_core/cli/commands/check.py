"""Check that a plugin keeps the zoo's contracts: the conformance kit as a report."""

import argparse

from ganzoo_core.cli.options import add_json
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo check ganzoo-plugin-dcgan
  ganzoo check ./my-variant --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("plugin", help="an installed distribution, or a plugin's folder")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run every check; exit code 1 where one fails."""
    from ganzoo_core.testing import check_distribution

    report = check_distribution(options.plugin)
    if options.json:
        print_json(report.to_json())
    else:
        print(report.to_text())
    return 0 if report.passed else 1
