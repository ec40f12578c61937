"""Find the style that a trained model draws a given image of.

The search begins at the mean style and ends with --out, the picture that was found, and beside it a
.safetensors file of the style (`w`) and of the layers' noise (`noise.0` onwards). The picture is
written now and then on the way, and Ctrl-C leaves what was found until then.
"""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ganzoo_core.cli.options import add_device, add_json, add_model, class_, natural, path, positive
from ganzoo_core.cli.render import print_json
from ganzoo_core.errors import UnsupportedError

if TYPE_CHECKING:
    from ganzoo_core.projecting import Observe, Projection

EXAMPLES = """\
examples:
  ganzoo project stylegan --target shirt.png --out projected.png
  ganzoo project runs/faces --target face.jpg --space w+ --steps 500 --features pixels
"""

PICTURES = 10
"""How often the picture is written on the way."""
WRITTEN = (".png", ".jpg", ".jpeg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--target", type=path, required=True, help="the image to look for")
    parser.add_argument(
        "--space",
        choices=("w", "w+"),
        default="w",
        help="one style for all layers (default), or one for each",
    )
    parser.add_argument("--steps", type=positive, default=1000, help="how long (default 1000)")
    parser.add_argument(
        "--features",
        help="a network to compare images by, or pixels (default: inception_v3.tf_in1k where it "
        "can be had, else pixels)",
    )
    parser.add_argument(
        "--drawn-noise",
        action="store_true",
        help="leave the layers' noise as the seed draws it instead of looking for it too",
    )
    parser.add_argument(
        "--class", dest="label", type=class_, metavar="CLASS", help="of a conditional model"
    )
    parser.add_argument("--seed", type=natural, default=0, help="of all that is drawn (default 0)")
    parser.add_argument(
        "--out",
        type=path,
        default=path("projected.png"),
        help=".png or .jpg; the style is written beside it (default projected.png)",
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Look, and save what was found."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import counting

    if options.out.suffix.lower() not in WRITTEN:
        raise UnsupportedError(
            f"{options.out} has the suffix {options.out.suffix!r}; a projection is written as "
            f"{' or '.join(WRITTEN)}"
        )
    with counting("projecting", quiet=options.json) as progress:
        found = zoo.project(
            options.model,
            options.target,
            space=options.space,
            steps=options.steps,
            label=options.label,
            features=options.features,
            noise=not options.drawn_noise,
            seed=options.seed,
            device=options.device,
            observe=_observer(options, progress),
            noted=None if options.json else lambda text: print(f"note: {text}", file=sys.stderr),
        )
    styles = _save(found, options)
    stopped = found.steps < options.steps
    if options.json:
        print_json(
            {
                "out": str(options.out),
                "styles": styles,
                "space": options.space,
                "measure": found.measure,
                "distance": found.distance,
                "steps": found.steps,
            }
        )
    else:
        how = f"stopped after {found.steps} of {options.steps} steps" if stopped else "projected"
        print(
            f"{how}: distance {found.distance:.4g} by {found.measure}: {options.out} and {styles}"
        )
    return 130 if stopped else 0


def _observer(
    options: argparse.Namespace, progress: Callable[[int, int], None] | None
) -> "Observe":
    between = max(1, options.steps // PICTURES)

    def observe(
        done: int, steps: int, distance: float, standing: "Callable[[], Projection]"
    ) -> None:
        if progress:
            progress(done, steps)
        if done % between or done == steps:
            return
        _save(standing(), options)
        if not options.json:
            print(f"step {done}/{steps}  distance {distance:.4g}", file=sys.stderr, flush=True)

    return observe


def _save(found: "Projection", options: argparse.Namespace) -> str:
    """Write the picture, and the style beside it, whose name is returned."""
    from ganzoo_core import images

    images.save_picture(found.image, options.out)
    styles = options.out.with_suffix(".safetensors")
    found.save(styles)
    return str(styles)
