"""Walk between pairs of latents of a trained model, or between poses in videos."""

import argparse
from typing import TYPE_CHECKING

from ganzoo_core.cli.options import (
    add_device,
    add_json,
    add_model,
    add_rendering,
    add_videos,
    natural,
    path,
    positive,
    rendering_of,
)
from ganzoo_core.cli.render import print_json
from ganzoo_core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo_core.model import Model

EXAMPLES = """\
examples:
  ganzoo interpolate runs/mnist --out walk.png
  ganzoo interpolate runs/mnist --pairs 16 --frames 60 --method linear --out walk.gif
  ganzoo interpolate drnet.sprites --space pose --data video:sprites:character --out poses.gif
  ganzoo interpolate stylegan --space w --truncation 0.7 --frames 60 --out walk.mp4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--pairs", type=positive, default=8, help="how many walks (default 8)")
    parser.add_argument("--frames", type=positive, default=16, help="images a walk (default 16)")
    parser.add_argument("--seed", type=natural, default=0, help="of the latents (default 0)")
    parser.add_argument(
        "--space",
        choices=("z", "w", "pose"),
        help="latents, the styles of a generator that maps them, or poses of videos, which --data "
        "names (default: z, or pose where the model has no latents)",
    )
    add_videos(parser, required=False)
    parser.add_argument(
        "--method",
        choices=("slerp", "linear"),
        help="on the sphere (default in z) or straight (default in w)",
    )
    add_rendering(parser)
    parser.add_argument("--enlarge", type=positive, default=1, help="pixels a pixel of the grid")
    parser.add_argument(
        "--out",
        type=path,
        default=path("interpolation.png"),
        help=".png or .jpg: a row a walk; .gif or .mp4: all walks moving; .npz; or a folder",
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Walk and save."""
    import ganzoo_core as zoo
    from ganzoo_core import clips, images

    images.check_format(options.out)
    model = zoo.load(options.model, device=options.device)
    space = options.space or ("pose" if "swap" in model.verbs else "z")
    walks = (
        _between_poses(model, options)
        if space == "pose"
        else model.interpolate(
            options.pairs,
            options.frames,
            seed=options.seed,
            method=options.method,
            space="w" if space == "w" else "z",
            **rendering_of(options),
        )
    )
    if options.out.suffix.lower() in clips.FORMATS:
        images.save_animation(list(walks.unbind(1)), options.out)
    else:
        images.save(
            walks.flatten(0, 1), options.out, columns=options.frames, enlarge=options.enlarge
        )
    if options.json:
        print_json({"out": str(options.out), "shape": list(walks.shape), "seed": options.seed})
    else:
        print(f"{options.pairs} walks of {options.frames} images: {options.out}")
    return 0


def _between_poses(model: "Model", options: argparse.Namespace) -> "Tensor":
    from ganzoo_core.cli.footage import footage
    from ganzoo_core.footage import pose_walks

    model.recomposer("interpolate between poses")
    if options.data is None:
        raise ConfigError("poses are those of videos: name some with --data")
    return pose_walks(
        model,
        footage(model, options),
        walks=options.pairs,
        frames=options.frames,
        seed=options.seed,
        method=options.method or "slerp",
    )
