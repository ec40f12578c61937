"""Go on with videos: what happened on the left, what is predicted on the right.

The model is given the first frames of each video. A .gif or .mp4 moves; a .png has a row of what
happened above a row of what is predicted, for each video.
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
  ganzoo predict drnet.sprites --data video:sprites:character --past 5 --future 50
  ganzoo predict runs/digits --data moving-mnist:mnist -n 2 --out prediction.mp4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    add_videos(parser)
    parser.add_argument("--past", type=positive, default=5, help="frames it is given (default 5)")
    parser.add_argument("--future", type=positive, default=50, help="frames it adds (default 50)")
    parser.add_argument("-n", "--count", type=positive, default=4, help="videos (default 4)")
    parser.add_argument("--seed", type=natural, default=0, help="of the videos (default 0)")
    parser.add_argument("--rate", type=positive, default=10, help="frames a second (default 10)")
    parser.add_argument("--enlarge", type=positive, default=1, help="pixels a pixel of the picture")
    parser.add_argument(
        "--out", type=path, default=path("prediction.gif"), help=".gif, .mp4, .png, .jpg or .npz"
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Predict and save."""
    import torch

    import ganzoo_core as zoo
    from ganzoo_core import clips, images
    from ganzoo_core.cli.footage import footage
    from ganzoo_core.footage import prediction

    moving = options.out.suffix.lower() in clips.FORMATS
    if moving:
        clips.check_clip_format(options.out)
    else:
        images.check_format(options.out)
    model = zoo.load(options.model, device=options.device)
    model.check_predicts()
    truth, made = prediction(
        model,
        footage(model, options),
        past=options.past,
        future=options.future,
        count=options.count,
        seed=options.seed,
    )
    beside = torch.stack([truth, made], 1)
    if moving:
        pictures = [
            images.grid(frame, columns=2, enlarge=options.enlarge)
            for frame in beside.flatten(0, 1).unbind(1)
        ]
        clips.write_pictures(options.out, pictures, options.rate)
    else:
        images.save(
            beside.flatten(0, 2), options.out, columns=truth.shape[1], enlarge=options.enlarge
        )
    if options.json:
        print_json({"out": str(options.out), "past": options.past, "future": options.future})
    else:
        print(
            f"{options.count} videos, {options.past} frames given and {options.future} predicted: "
            f"{options.out}"
        )
    return 0
