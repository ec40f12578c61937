"""Show the contents of some videos in the poses of another.

The picture has a frame of each content on its left, frames of the poses on top, and where they meet
what the model makes of the two.
"""

import argparse

from ganzoo_core.cli.options import (
    add_device,
    add_json,
    add_model,
    add_videos,
    natural,
    path,
    positive,
)
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo swap drnet.sprites --data video:sprites:character --out grid.png
  ganzoo swap runs/digits --data moving-mnist:mnist --split test --rows 6 --columns 12
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    add_videos(parser)
    parser.add_argument("--rows", type=positive, default=8, help="contents (default 8)")
    parser.add_argument("--columns", type=positive, default=8, help="poses (default 8)")
    parser.add_argument("--seed", type=natural, default=0, help="of the videos (default 0)")
    parser.add_argument("--enlarge", type=positive, default=1, help="pixels a pixel of the grid")
    parser.add_argument(
        "--out", type=path, default=path("swap.png"), help=".png or .jpg, .npz, or a folder"
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Swap and save."""
    import ganzoo_core as zoo
    from ganzoo_core import images
    from ganzoo_core.cli.footage import footage
    from ganzoo_core.footage import swap_grid

    images.check_format(options.out)
    model = zoo.load(options.model, device=options.device)
    model.recomposer("swap")
    grid = swap_grid(
        model,
        footage(model, options),
        rows=options.rows,
        columns=options.columns,
        seed=options.seed,
    )
    images.save(grid, options.out, columns=options.columns + 1, enlarge=options.enlarge)
    if options.json:
        print_json({"out": str(options.out), "rows": options.rows, "columns": options.columns})
    else:
        print(f"{options.rows} contents in {options.columns} poses: {options.out}")
    return 0
