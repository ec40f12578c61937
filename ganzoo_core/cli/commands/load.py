"""Load a trained model, show what it is, and draw from it where asked."""

import argparse
from typing import Any

from ganzoo_core.cli.options import add_device, add_json, add_model, natural, path, positive
from ganzoo_core.cli.render import facts, print_json

EXAMPLES = """\
examples:
  ganzoo load runs/mnist
  ganzoo load runs/mnist --sample 64 --out grid.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--sample", type=positive, metavar="N", help="draw N images too")
    parser.add_argument("--seed", type=natural, default=0, help="of the images (default 0)")
    parser.add_argument("--out", type=path, default=path("samples.png"), help="for the images")
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Load and describe."""
    import ganzoo_core as zoo
    from ganzoo_core import images

    if options.sample:
        images.check_format(options.out)
    model = zoo.load(options.model, device=options.device)
    if options.sample:
        images.save(model.sample(options.sample, seed=options.seed), options.out)
    entry, plugin = model.blueprint.entry, model.blueprint.variant.plugin
    described: dict[str, Any] = {
        "variant": entry.name,
        "title": entry.title,
        "plugin": f"{plugin.distribution} {plugin.version}",
        "weights": model.source,
        "networks": {
            role: sum(weight.numel() for weight in network.parameters())
            for role, network in model.networks.items()
        },
        "verbs": list(model.verbs),
    }
    if options.json:
        print_json(described | ({"out": str(options.out)} if options.sample else {}))
        return 0
    networks = [f"{role}: {count:,} weights" for role, count in described["networks"].items()]
    print(f"{entry.name} - {entry.title}\n")
    print(
        facts(
            [
                ("plugin", described["plugin"]),
                ("weights", described["weights"]),
                *(("networks" if not number else "", line) for number, line in enumerate(networks)),
                ("verbs", ", ".join(described["verbs"])),
                ("images", str(options.out) if options.sample else ""),
            ]
        )
    )
    print(f'\nuse it with: ganzoo_core.load("{options.model}")')
    return 0
