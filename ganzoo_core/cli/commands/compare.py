"""Train and measure variants on equal terms, and rank them.

All variants share the data, image size, batch size, budget, seeds and evaluation, and the networks
that are named, as far as their recipes can take them. The same command goes on with a comparison
that was cut off. The folder of the comparison holds its tables, a page and a picture.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo_core.cli.options import (
    add_device,
    add_json,
    completed,
    component_names,
    path,
    positive,
    variant_names,
    whole,
)
from ganzoo_core.cli.render import print_json, table

if TYPE_CHECKING:
    from ganzoo_core.evaluation.comparison.summary import Comparison

EXAMPLES = """\
examples:
  ganzoo compare gan dcgan --budget 2000steps
  ganzoo compare gan dcgan --data idx:mnist --budget 20epochs --generator dcgan --preset mnist
  ganzoo compare gan dcgan --data folder:faces --image-size 64 --budget 2h --seeds 5 --on ray
"""

_NETWORKS = ("generator", "discriminator", "encoder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    variants = parser.add_argument("variants", nargs="+", metavar="variant", help="what to compare")
    completed(variants, variant_names)
    terms = parser.add_argument_group("terms that all share")
    terms.add_argument("--data", default="digits", help="as for ganzoo train (default digits)")
    terms.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    terms.add_argument(
        "--budget", required=True, help="of each run: 5000steps, 20epochs, 90s, 10min or 2h"
    )
    terms.add_argument("--seeds", type=whole, default=3, help="runs of each variant (default 3)")
    for role in _NETWORKS:
        action = terms.add_argument(f"--{role}", help=f"the {role} of every recipe that has one")
        completed(action, component_names(role))
    terms.add_argument("--preset", help="a preset of one or more of the variants")
    terms.add_argument("--image-size", type=positive, help="side of the images in pixels")
    terms.add_argument("--batch-size", type=positive, help="images a batch")
    terms.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any other setting"
    )
    measured = parser.add_argument_group("measurement")
    measured.add_argument(
        "--metrics", help="names with commas between, the first of which ranks; see ganzoo evaluate"
    )
    measured.add_argument("--features", help="as for ganzoo evaluate")
    measured.add_argument(
        "-n", "--count", type=positive, default=10_000, help="images a measurement (default 10000)"
    )
    measured.add_argument(
        "--evaluations", type=whole, default=4, help="measurements of a run, its end included"
    )
    where = parser.add_argument_group("run")
    where.add_argument("--out", type=path, help="folder (default comparisons/VARIANTS-DATA)")
    where.add_argument(
        "--on", choices=("local", "ray"), default="local", help="one after another, or on a Ray"
    )
    where.add_argument("--retry-failed", action="store_true", help="try failed runs again")
    add_device(where)  # type: ignore[arg-type]
    add_json(where)  # type: ignore[arg-type]


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import observer
    from ganzoo_core.settings import parse_assignment

    settings: dict[str, Any] = dict(parse_assignment(text) for text in options.set)
    named = {"image_size": options.image_size, "training.batch_size": options.batch_size}
    settings |= {key: value for key, value in named.items() if value is not None}
    metrics = None
    if options.metrics is not None:
        metrics = [name.strip() for name in options.metrics.split(",") if name.strip()]
    with observer(quiet=options.json) as watching:
        comparison = zoo.compare(
            options.variants,
            options.data,
            budget=options.budget,
            seeds=options.seeds,
            out=options.out or _folder(options.variants, options.data),
            components={role: its for role in _NETWORKS if (its := getattr(options, role))},
            settings=settings,
            preset=options.preset,
            metrics=metrics,
            features=options.features,
            count=options.count,
            evaluations=options.evaluations,
            data_root=options.data_root,
            on=options.on,
            device=options.device,
            retry_failed=options.retry_failed,
            observer=watching,
        )
    if options.json:
        print_json(comparison.to_json())
    else:
        _print(comparison)
    return 0


def _print(comparison: "Comparison") -> None:
    from ganzoo_core.evaluation.comparison.page import PAGE
    from ganzoo_core.evaluation.comparison.table import others, ranking, remarks

    print(table(*ranking(comparison), elastic=7 if comparison.metrics else 5))
    rest = others(comparison)
    if rest is not None:
        print(f"\n{table(*rest, elastic=0)}")
    print("\n" + "\n".join(remarks(comparison)))
    print(f"All of it: {comparison.folder / PAGE}")


def _folder(variants: list[str], data: str) -> Path:
    """Return the same folder for the same command, so that it goes on."""
    kind, _, place = data.partition(":")
    names = [name.rpartition("/")[2] for name in variants]
    shown = "-".join(names) if len(names) <= 4 else f"{len(names)}-variants"
    return Path("comparisons", f"{shown}-{Path(place).stem or kind}")
