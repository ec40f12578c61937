"""Turn the authors' published checkpoints into a model folder, executing nothing in them."""

import argparse

from ganzoo_core.cli.options import add_json, path, variant_names
from ganzoo_core.cli.options import completed as with_completion
from ganzoo_core.cli.render import print_json
from ganzoo_core.settings import parse_assignment

EXAMPLES = """\
examples:
  ganzoo convert netG_epoch_24.pth --variant dcgan --out dcgan-celeba
  ganzoo convert netG_epoch_24.pth netD_epoch_24.pth --variant dcgan --out dcgan-celeba
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="+", type=path, metavar="FILE", help="published checkpoints")
    action = parser.add_argument("--variant", required=True, help="which variant they are of")
    with_completion(action, variant_names)
    parser.add_argument("--out", required=True, type=path, help="the model folder to write")
    parser.add_argument(
        "--license", default="other", help="SPDX identifier of the weights' licence"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting that the files do not know",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Convert."""
    import ganzoo_core as zoo

    _, recognised = zoo.convert(
        options.files,
        options.variant,
        options.out,
        license=options.license,
        settings=dict(parse_assignment(text) for text in options.set),
    )
    if options.json:
        print_json({"out": str(options.out), "recognised": recognised})
        return 0
    for sentence in recognised:
        print(f"recognised {sentence}")
    print(f"written: {options.out}; load it with: ganzoo load {options.out}")
    return 0
