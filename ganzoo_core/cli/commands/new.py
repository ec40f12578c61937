"""Write a complete plugin to begin with, which passes every check and trains as it stands.

Its README says what to change first, how to test it, and how to publish it.
"""

import argparse

from ganzoo_core.cli.options import completed, path
from ganzoo_core.scaffold import KINDS

EXAMPLES = """\
examples:
  ganzoo new my-variant
  ganzoo new my-variant --kind autoencoder --author "A. Author" --license MIT
  ganzoo new my-variant --kind loss --out plugins/my-variant
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="of the variant; the distribution is ganzoo-plugin-NAME")
    kinds = "; ".join(f"{kind}: {begins_with}" for kind, begins_with in KINDS.items())
    completed(
        parser.add_argument(
            "--kind", default="gan", help=f"what to begin with (default gan); {kinds}"
        ),
        _kinds,
    )
    parser.add_argument("--out", type=path, help="folder to write (default ganzoo-plugin-NAME)")
    parser.add_argument(
        "--author", default="", help="who owns the copyright (default: The NAME authors)"
    )
    parser.add_argument(
        "--license", default="Apache-2.0", help="SPDX identifier (default Apache-2.0)"
    )


def run(options: argparse.Namespace) -> int:
    """Write it."""
    import shlex

    from ganzoo_core.scaffold import write_plugin
    from ganzoo_core.scaffold.licenses import checked_license, has_text

    license = checked_license(options.license)
    folder = write_plugin(
        options.name,
        kind=options.kind,
        out=options.out,
        author=options.author,
        license=license,
    )
    print(f"written: {folder}; what to change first is in its README.md")
    if not has_text(license):
        print(f"put the text of {license} into {folder / 'LICENSE'}")
    quoted = shlex.quote(str(folder))
    print(f"check it with: ganzoo check {quoted}")
    print(f"install it with: pip install -e {quoted}")
    data = "--data digit-outlines " if options.kind == "translator" else ""
    print(f"train it with: ganzoo train {options.name} {data}--steps 200")
    return 0


def _kinds(**_: object) -> list[str]:
    return list(KINDS)
