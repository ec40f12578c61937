"""Draw images from a trained model; the same seed gives the same images."""

import argparse

from ganzoo_core.cli.options import add_device, add_json, add_model, natural, path, positive
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo sample runs/mnist -n 64 --seed 1 --out grid.png
  ganzoo sample runs/mnist -n 10000 --out samples.npz
  ganzoo sample runs/mnist -n 100 --out folder-of-pngs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("-n", "--count", type=positive, default=64, help="how many (default 64)")
    parser.add_argument("--seed", type=natural, default=0, help="of the series (default 0)")
    parser.add_argument(
        "--out",
        type=path,
        default=path("samples.png"),
        help=".png or .jpg for a grid, .npz for an array, .gif, or a folder (default samples.png)",
    )
    parser.add_argument("--columns", type=positive, help="of the grid")
    parser.add_argument("--enlarge", type=positive, default=1, help="pixels a pixel of the grid")
    parser.add_argument("--batch-size", type=positive, default=64, help="images at a time")
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Draw and save."""
    import ganzoo_core as zoo
    from ganzoo_core import images
    from ganzoo_core.cli.progress import counting

    images.check_format(options.out)
    model = zoo.load(options.model, device=options.device)
    with counting("sampling", quiet=options.json) as progress:
        drawn = model.sample(
            options.count, seed=options.seed, batch_size=options.batch_size, progress=progress
        )
    images.save(drawn, options.out, columns=options.columns, enlarge=options.enlarge)
    if options.json:
        print_json(
            {
                "out": str(options.out),
                "count": options.count,
                "seed": options.seed,
                "shape": list(drawn.shape),
            }
        )
    else:
        print(f"{options.count} images of seed {options.seed}: {options.out}")
    return 0
