"""Draw the latent space of a trained model.

manifold: images over a grid of a latent of two numbers; scatter: the codes of real images, by
class; traversals: each number of the latent moved alone; reconstructions: real images above what
their codes keep; denoised: spoilt, mended and clean images; domains: features of a source and a
target, by domain and by class, before and after an adaptation. By default all that the model has.
"""

import argparse
from pathlib import Path

from ganzoo_core.cli.options import add_device, add_json, add_model, natural, path
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo latent vae.mnist-2d --data idx:mnist
  ganzoo latent runs/adapted --before runs/source-only
  ganzoo latent runs/aae --data mnist --pictures scatter --projection umap --out pictures
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--pictures", help="names with commas between; by default all that suit")
    parser.add_argument("--data", help="real images, as for ganzoo train")
    parser.add_argument("--source", help="of two domains, as for ganzoo train (default: the run's)")
    parser.add_argument("--target", help="of two domains (default: the run's)")
    parser.add_argument(
        "--before", metavar="MODEL", help="one that was not adapted, to hold it against"
    )
    parser.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    parser.add_argument("--split", default="train", help="train (default) or test")
    parser.add_argument("--seed", type=natural, default=0, help="of the images (default 0)")
    parser.add_argument(
        "--projection", default="pca", help="of codes of more than two numbers: pca or umap"
    )
    parser.add_argument("--out", type=path, help="folder (default: MODEL-latent)")
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Draw and save."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import downloading

    pictures = None
    if options.pictures is not None:
        pictures = [name.strip() for name in options.pictures.split(",") if name.strip()]
    out = options.out or Path(f"{Path(options.model).name}-latent")
    with downloading(quiet=options.json) as progress:
        drawn = zoo.latent(
            options.model,
            out,
            pictures=pictures,
            data=options.data,
            data_root=options.data_root,
            split=options.split,
            seed=options.seed,
            projection=options.projection,
            source=options.source,
            target=options.target,
            before=options.before,
            device=options.device,
            progress=progress,
        )
    if options.json:
        print_json({name: str(file) for name, file in drawn.items()})
    else:
        for name, file in drawn.items():
            print(f"{name}: {file}")
    return 0
