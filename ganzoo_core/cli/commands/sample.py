"""Draw images from a trained model; the same seed gives the same images.

A conditional model draws its classes in turn unless --class names some. --code sets a part of the
latent, such as an InfoGAN's c1 or a decoder's z0: c1=3 for all images, c1=0:9 for all of these in
turn, c2=-2:2 for ten steps between, c2=-2:2:5 for five. One code that moves makes a row of each
latent; two make a grid, the first down and the second along.

A generator with styles, such as StyleGAN's, takes --truncation and --noise, and --mix gives the
images of ROWSEEDS, down the left, some styles of those of COLSEEDS, along the top.

A model of captions draws what --text says, and images of anything without it. Each --text that is
given gets a row of -n images. --rerank 64 draws 64 of them and keeps those that show the text best,
with their scores; --image keeps the first rows of a picture and draws the rest.

--report writes one page about the model: grids, interpolations, truncation, codes, nearest
neighbours, losses and figures, as far as they apply. Images are then only saved where --out is
given as well.
"""

import argparse
import sys
from math import isfinite
from typing import TYPE_CHECKING, Any

from ganzoo_core.cli.captions import (
    add_prompt,
    check_prompt,
    drawn_of_captions,
    is_prompted,
)
from ganzoo_core.cli.options import (
    add_device,
    add_json,
    add_model,
    add_rendering,
    classes,
    numbers,
    path,
    positive,
    rendering_of,
    seeds,
)
from ganzoo_core.cli.render import print_json
from ganzoo_core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ganzoo_core.model import Model

COUNT = 64
"""Images, where their number is not given."""
RENDERED = {"truncation": 1.0, "cutoff": None, "noise": "drawn"}
"""How a generator with styles renders them unless asked otherwise."""
STEPS = 10
"""Values of a real code that moves, where their number is not given."""

EXAMPLES = """\
examples:
  ganzoo sample runs/mnist -n 64 --seed 1 --out grid.png
  ganzoo sample runs/mnist -n 10000 --out samples.npz
  ganzoo sample runs/mnist -n 100 --out folder-of-pngs
  ganzoo sample cgan.mnist --class 0-9 -n 100
  ganzoo sample infogan.mnist --code c1=0:9 --code c2=-2:2 --out codes.png
  ganzoo sample stylegan --truncation 0.7 --seed 1-64 --out truncated.png
  ganzoo sample stylegan --mix 1-4 5-10 --layers 0-3 --out mixed.png
  ganzoo sample dalle.scenes --text "a red circle above a blue square" -n 8 --rerank 64
  ganzoo sample dalle.scenes --text "two blue squares" --image prompt.png --keep-rows 8 -n 8
  ganzoo sample runs/mnist --report report.html --data idx:mnist
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("-n", "--count", type=positive, help="how many (default 64)")
    parser.add_argument(
        "--seed",
        type=seeds,
        default=0,
        metavar="SEEDS",
        help="of the series (default 0), or 1-64 for an image of each seed",
    )
    parser.add_argument(
        "--out",
        type=path,
        help=".png or .jpg for a grid, .npz for an array, .gif, or a folder (default samples.png)",
    )
    parser.add_argument(
        "--class",
        dest="classes",
        type=classes,
        metavar="CLASSES",
        help="of a conditional model: 7, 0-9 or 1,3,5 in turn, or names: cat,dog",
    )
    parser.add_argument(
        "--code",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="set or move a part of the latent: c1=0:9, c2=-2:2",
    )
    add_rendering(parser)
    parser.add_argument(
        "--mix",
        nargs=2,
        type=numbers,
        metavar=("ROWSEEDS", "COLSEEDS"),
        help="a grid of images that have some styles of others, with the sources at its borders",
    )
    parser.add_argument(
        "--layers", type=numbers, metavar="LAYERS", help="whose styles --mix takes (default 0-3)"
    )
    add_prompt(parser)
    parser.add_argument(
        "--report", type=path, metavar="FILE", help="write a page, report.html or report.pdf"
    )
    parser.add_argument("--data", help="real images for the report, as for ganzoo train")
    parser.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    parser.add_argument("--split", default="train", help="of the data: train (default) or test")
    parser.add_argument(
        "--projection", help="how the report shows codes of more than two numbers: pca or umap"
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

    out = options.out or (None if options.report else path("samples.png"))
    if out:
        images.check_format(out)
    _check_report(options, out)
    _check_choices(options)
    check_prompt(options)
    model = zoo.load(options.model, device=options.device)
    said = _reported(model, options) if options.report else {}
    if out is None:
        return _told(said, options)
    with counting("sampling", quiet=options.json) as progress:
        if is_prompted(options):
            drawn, columns, of_captions = drawn_of_captions(model, options, progress)
            said |= of_captions
        else:
            drawn, columns = _drawn(model, options, progress)
    columns = options.columns or columns
    images.save(drawn, out, columns=columns, enlarge=options.enlarge)
    said |= {
        "out": str(out),
        "count": len(drawn),
        "seed": options.seed,
        "shape": list(drawn.shape),
    }
    return _told(said, options)


def _told(said: dict[str, Any], options: argparse.Namespace) -> int:
    """Say what was written."""
    if options.json:
        print_json(said)
        return 0
    if "report" in said:
        for title, reason in said["left_out"].items():
            print(f"not shown: {title}: {reason}")
        print(f"{len(said['shown'])} parts of seed {options.seed}: {said['report']}")
    for sentence in said.get("unread", []):
        print(f"note: {sentence}", file=sys.stderr)
    for caption in said.get("captions", []):
        scores = ", ".join(f"{score:.3f}" for score in caption["scores"])
        print(f"{caption['text']}: the best of {caption['candidates']}, scores {scores}")
    if "out" in said:
        print(f"{said['count']} images of {_seeds(options)}: {said['out']}")
    return 0


def _check_report(options: argparse.Namespace, out: "Path | None") -> None:
    """Refuse options that would be without effect."""
    if options.report is None and (options.data or options.data_root or options.projection):
        raise ConfigError(
            "--data, --data-root and --projection are for a report; name one, as in "
            "--report report.html"
        )
    if out is None and (options.classes or options.code):
        raise ConfigError(
            "--class and --code choose images, and a report shows those that come first; give "
            "--out as well to save them"
        )


def _check_choices(options: argparse.Namespace) -> None:
    """Refuse choices that contradict each other."""
    if options.mix:
        taken = {"--code": options.code, "--seed": options.seed != 0, "-n": options.count}
        named = [name for name, given in taken.items() if given]
        if named:
            raise ConfigError(f"--mix names its own images by their seeds; leave {named[0]} out")
        if options.classes and len(options.classes) > 1:
            raise ConfigError("--mix mixes images of one class; give --class a single one")
    elif options.layers:
        raise ConfigError("--layers says whose styles are mixed; give --mix ROWSEEDS COLSEEDS too")
    if isinstance(options.seed, int):
        return
    if options.count not in (None, len(options.seed)):
        raise ConfigError(
            f"--seed names {len(options.seed)} images, one a seed, and -n {options.count}; leave "
            "-n out"
        )
    if options.report:
        raise ConfigError("a report is of one series; give --seed a single number")


def _seeds(options: argparse.Namespace) -> str:
    if options.mix:
        return "mixed styles"
    if isinstance(options.seed, int):
        return f"seed {options.seed}"
    return f"seeds {options.seed[0]} to {options.seed[-1]}"


def _reported(model: "Model", options: argparse.Namespace) -> dict[str, Any]:
    """Write the report, and return what there is to say of it."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import downloading

    with downloading(quiet=options.json) as progress:
        report = zoo.report(
            model,
            options.report,
            data=options.data,
            count=options.count or COUNT,
            seed=options.seed,
            batch_size=options.batch_size,
            split=options.split,
            data_root=options.data_root,
            projection=options.projection or "pca",
            progress=progress,
        )
    return {
        "report": str(options.report),
        "shown": [section.title for section in report.sections],
        "left_out": dict(report.left_out),
    }


def _drawn(
    model: "Model", options: argparse.Namespace, progress: Any
) -> "tuple[Tensor, int | None]":
    """Return the images [N, C, H, W] and how many columns suit them."""
    its = options.classes
    rendering = rendering_of(options)
    if options.mix:
        rows, columns = options.mix
        grid = model.mix(
            rows,
            columns,
            options.layers or range(4),
            label=its[0] if its else None,
            **rendering,
        )
        return grid.flatten(0, 1), grid.shape[1]
    seed: int | list[int] = options.seed
    count = (options.count or COUNT) if isinstance(seed, int) else len(seed)
    codes = dict(_values(text, model) for text in options.code)
    if any(len(values) > 1 for values in codes.values()):
        if its and len(its) > 1:
            raise ConfigError("--code moves a code for one class; give --class a single one")
        if not isinstance(seed, int) or rendering != RENDERED:
            raise ConfigError(
                "a grid of codes is of one seed and of all noise; leave --truncation, --cutoff, "
                "--noise and further seeds out"
            )
        rows = model.traverse(
            codes,
            count=min(count, 8),
            seed=seed,
            labels=its[0] if its else None,
        )
        return rows.flatten(0, 1), rows.shape[1]
    labels = [its[number % len(its)] for number in range(count)] if its else None
    drawn = model.sample(
        count,
        seed=seed,
        labels=labels,
        codes={name: values[0] for name, values in codes.items()},
        **rendering,
        batch_size=options.batch_size,
        progress=progress,
    )
    return drawn, len(its) if its and len(its) > 1 else None


def _values(text: str, model: "Model") -> tuple[str, list[float]]:
    """Read NAME=VALUE, NAME=FIRST:LAST or NAME=FIRST:LAST:STEPS."""
    name, _, rest = text.partition("=")
    name = name.strip()
    try:
        first, last, steps = _bounds(rest)
    except ValueError:
        raise ConfigError(
            f"--code takes NAME=VALUE, NAME=FIRST:LAST or NAME=FIRST:LAST:STEPS, and got {text!r}"
        ) from None
    if first == last:
        return name, [first]
    code = model.codes.get(name)
    if code is not None and code.categorical and steps is None:
        if not (first.is_integer() and last.is_integer() and first < last):
            raise ConfigError(f"the code {name} takes whole numbers, such as {name}=0:9")
        return name, [float(value) for value in range(int(first), int(last) + 1)]
    steps = steps or STEPS
    return name, [first + (last - first) * number / (steps - 1) for number in range(steps)]


def _bounds(text: str) -> tuple[float, float, int | None]:
    parts = text.split(":")
    if len(parts) > 3:
        raise ValueError(text)
    first = float(parts[0])
    last = float(parts[1]) if len(parts) > 1 else first
    steps = int(parts[2]) if len(parts) > 2 else None
    if not (isfinite(first) and isfinite(last)) or (steps is not None and not 2 <= steps <= 1000):
        raise ValueError(text)
    return first, last, steps
