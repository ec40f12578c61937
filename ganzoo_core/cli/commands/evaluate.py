"""Measure a trained model against data.

Each number is printed with the features it was measured with and the numbers of images; for a run
or a model folder all of it is recorded in evaluation.json and in the model card.
"""

import argparse
from typing import NoReturn

from ganzoo_core.cli.options import (
    add_device,
    add_domains,
    add_json,
    add_model,
    completed,
    data_name,
    natural,
    path,
    positive,
)
from ganzoo_core.cli.render import print_json, table

EXAMPLES = """\
examples:
  ganzoo evaluate runs/mnist --data idx:mnist
  ganzoo evaluate dcgan.mnist --data mnist --metrics fid,kid -n 5000
  ganzoo evaluate runs/faces --data folder:faces --features vit_small_patch14_dinov2.lvd142m@224
  ganzoo evaluate runs/adapted --source mnist --target usps
  ganzoo evaluate --list-metrics
"""

HEADER = ("METRIC", "VALUE", "SPREAD", "BETTER", "REAL", "GENERATED", "DATA")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--data", help="real images, as for ganzoo train")
    add_domains(parser)
    parser.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    parser.add_argument("--split", default="train", help="train (default) or test")
    parser.add_argument(
        "--resize-filter", default="lanczos", help="lanczos (default), bicubic, bilinear or box"
    )
    parser.add_argument("--metrics", help="names with commas between; by default what suits")
    parser.add_argument("--list-metrics", action=_ListMetrics, help="show their names and leave")
    action = parser.add_argument(
        "--features", help="mnist-convnet, fashion-mnist-convnet or a timm backbone"
    )
    completed(action, _features)
    parser.add_argument(
        "-n", "--count", type=positive, default=10_000, help="images to draw (default 10000)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="of the images (default 0)")
    parser.add_argument("--batch-size", type=positive, default=64, help="images at a time")
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import downloading

    metrics = None
    if options.metrics is not None:
        metrics = [name.strip() for name in options.metrics.split(",") if name.strip()]
    with downloading(quiet=options.json) as progress:
        evaluation = zoo.evaluate(
            options.model,
            data_name(options, "") or None,
            metrics=metrics,
            features=options.features,
            count=options.count,
            seed=options.seed,
            batch_size=options.batch_size,
            split=options.split,
            data_root=options.data_root,
            resize_filter=options.resize_filter,
            device=options.device,
            progress=progress,
        )
    if options.json:
        print_json(evaluation.to_json())
        return 0
    sets = list(dict.fromkeys(f"{each.data} ({each.split})" for each in evaluation.results))
    columns = len(HEADER) - (len(sets) == 1)
    rows = [
        [
            result.metric,
            f"{result.value:.5g}",
            "" if result.spread is None else f"± {result.spread:.2g}",
            "" if result.better == "neither" else result.better,
            str(result.real or ""),
            str(result.generated),
            f"{result.data} ({result.split})",
        ][:columns]
        for result in evaluation.results
    ]
    print(table(HEADER[:columns], rows, elastic=0))
    first = evaluation.results[0]
    print(
        f"\n{evaluation.model} on {', then '.join(sets)}, "
        f"{first.image_size}×{first.image_size} pixels, seed {first.seed}"
    )
    return 0


class _ListMetrics(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from ganzoo_core.evaluation import MEASURES

        rows = [(name, each.verb, each.summary) for name, each in MEASURES.items()]
        print(table(("METRIC", "OF", "WHAT"), rows, elastic=2))
        parser.exit()


def _features(**_: object) -> list[str]:
    from ganzoo_core.evaluation.features import GENERAL, SHIPPED

    return [*SHIPPED, GENERAL]
