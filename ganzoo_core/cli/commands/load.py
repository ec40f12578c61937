"""Load a trained model, show what it is, and draw from it where asked.

A model is a run's folder, a model folder, a pretrained tag (dcgan.mnist) or a Hub repository
(org/name or org/name@revision).
"""

import argparse
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING

from ganzoo_core.cli.options import add_device, add_json, add_model, natural, path, positive
from ganzoo_core.cli.render import facts, print_json

if TYPE_CHECKING:
    from ganzoo_core.hub.origin import Origin

EXAMPLES = """\
examples:
  ganzoo load dcgan --pretrained
  ganzoo load dcgan --pretrained=mnist --sample 64 --out grid.png
  ganzoo load runs/mnist
  ganzoo load somebody/my-gan@main
"""

_PLACES = {
    "run": "run",
    "folder": "folder",
    "package": "shipped with the plugin",
    "cache": "cache, from the Hub",
    "hub": "downloaded from the Hub now",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument(
        "--pretrained",
        nargs="?",
        const="",
        metavar="TAG",
        help="the variant's published weights; --pretrained=TAG for others than its first",
    )
    parser.add_argument("--sample", type=positive, metavar="N", help="draw N images too")
    parser.add_argument("--seed", type=natural, default=0, help="of the images (default 0)")
    parser.add_argument("--out", type=path, default=path("samples.png"), help="for the images")
    parser.add_argument("--enlarge", type=positive, default=1, help="pixels a pixel of the grid")
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Load and describe."""
    import ganzoo_core as zoo
    from ganzoo_core import images

    if options.sample:
        images.check_format(options.out)
    model = zoo.load(options.model, pretrained=options.pretrained, device=options.device)
    if options.sample:
        drawn = model.sample(options.sample, seed=options.seed)
        images.save(drawn, options.out, enlarge=options.enlarge)
    entry, plugin = model.blueprint.entry, model.blueprint.variant.plugin
    networks = {
        role: sum(weight.numel() for weight in network.parameters())
        for role, network in model.networks.items()
    }
    if options.json:
        print_json(
            {
                "variant": entry.name,
                "title": entry.title,
                "plugin": plugin.distribution,
                "version": plugin.version,
                "code_license": _code_license(plugin.distribution),
                "weights_license": model.origin.license,
                "place": model.origin.place,
                "where": model.origin.where,
                "verified": model.origin.verified,
                "remarks": list(model.origin.remarks),
                "networks": networks,
                "verbs": list(model.verbs),
                "out": str(options.out) if options.sample else None,
            }
        )
        return 0
    counts = [f"{role}: {count:,} parameters" for role, count in networks.items()]
    print(f"{entry.name} - {entry.title}\n")
    print(
        facts(
            [
                ("plugin", f"{plugin.distribution} {plugin.version}"),
                ("code licence", _code_license(plugin.distribution)),
                ("weights licence", model.origin.license or "not stated"),
                ("weights", f"{_PLACES[model.origin.place]}: {model.origin.where}"),
                ("hashes", _hash_state(model.origin)),
                *(("remarks" if not n else "", it) for n, it in enumerate(model.origin.remarks)),
                *(("networks" if not number else "", line) for number, line in enumerate(counts)),
                ("verbs", ", ".join(model.verbs)),
                ("images", str(options.out) if options.sample else ""),
            ]
        )
    )
    name = options.model + (f".{options.pretrained}" if options.pretrained else "")
    print(f'\nuse it: ganzoo_core.load("{name}"){_command(name, model.verbs)}')
    return 0


def _command(name: str, verbs: Sequence[str]) -> str:
    """Return what a user may try first with a model that can do so much."""
    if "sample" in verbs:
        return f", or: ganzoo sample {name} -n 64 --out grid.png"
    if "translate" in verbs:
        return f", or: ganzoo translate {name} --input FILE_OR_FOLDER"
    for verb in ("predict", "swap"):
        if verb in verbs:
            return f", or: ganzoo {verb} {name} --data video:FOLDER"
    return ""


def _hash_state(origin: "Origin") -> str:
    if origin.verified:
        return "verified: size and sha256 are as pinned"
    return "none pinned" if origin.place in ("run", "folder") else "not verified"


def _code_license(distribution: str) -> str:
    try:
        found = metadata(distribution)
    except PackageNotFoundError:
        return "not stated"
    stated = found["License-Expression"] or found["License"]
    return str(stated) if stated else "not stated"
