"""Show the whole way: draw from shipped weights, then train, sample, interpolate, load again.

It needs no network and takes a minute or two on two CPU cores.
"""

import argparse
import time

from ganzoo_core.cli.options import add_device, path, positive
from ganzoo_core.errors import RunError

EXAMPLES = """\
examples:
  ganzoo demo
  ganzoo demo --out my-first-gan --steps 4000
"""

VARIANT = "dcgan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--out", type=path, default=path("ganzoo-demo"), help="folder (ganzoo-demo)"
    )
    parser.add_argument("--steps", type=positive, help="steps to train, for a longer demo")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Draw from shipped weights; then train, sample, interpolate, load."""
    import ganzoo_core as zoo
    from ganzoo_core import images
    from ganzoo_core.cli.progress import observer

    out = options.out
    if out.exists():
        raise RunError(f"{out} exists already; remove it or choose another --out")
    began = time.monotonic()
    print("drawing from a DCGAN that was trained on MNIST and ships with its plugin …")
    shipped = zoo.load(f"{VARIANT}.mnist", device=options.device)
    images.save(shipped.sample(64, seed=1), out / "mnist.png", enlarge=2)
    print("training another one on 1,797 handwritten digits of 8x8 pixels …")
    settings = {"training.steps": options.steps} if options.steps else {}
    with observer() as watching:
        zoo.train(
            VARIANT,
            "digits",
            out=out / "run",
            preset="digits",
            settings=settings,
            device=options.device,
            observer=watching,
        )
    model = zoo.load(out / "run")
    images.save(model.sample(64, seed=1), out / "grid.png", enlarge=3)
    walks = model.interpolate(8, 12, seed=1)
    images.save(walks.flatten(0, 1), out / "interpolation.png", columns=12, enlarge=3)
    print(f"done in {time.monotonic() - began:.0f} s; what to look at:")
    print(f"  {out / 'mnist.png'}            64 digits by the shipped model")
    print(f"  {out / 'grid.png'}             64 digits by the one just trained")
    print(f"  {out / 'interpolation.png'}    from one to another, along the sphere of latents")
    print(f"  {out / 'run' / 'samples'}          how it learned")
    print(f"draw more with: ganzoo sample {out / 'run'} -n 100 --seed 2 --out more.png")
    return 0
