"""Name what images show, by a trained model that knows classes.

The input is an image or a folder of images, of any sizes: each is fitted to the model as training
fits its data. Classes have the names that they had in the data that the model learned from, and
are else numbers in the order of these.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from ganzoo_core.cli.options import add_device, add_json, add_model, image_files, path, positive
from ganzoo_core.cli.render import print_json, table
from ganzoo_core.errors import DataError, UnsupportedError

EXAMPLES = """\
examples:
  ganzoo classify dann.mnist --input digit.png
  ganzoo classify runs/adapted --input scans --top 1 --json
"""

BATCH = 64
"""Images that are named at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--input", type=path, required=True, help="an image, or a folder of images")
    parser.add_argument(
        "--top", type=positive, default=3, help="classes to show of each image (default 3)"
    )
    parser.add_argument(
        "--resize-filter", choices=("lanczos", "bicubic", "bilinear", "box"), default="lanczos"
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Classify and print."""
    import torch

    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import counting
    from ganzoo_core.data.pixels import PixelFormat, read_fitted

    files = image_files(options.input)
    model = zoo.load(options.model, device=options.device)
    if "classify" not in model.verbs:
        raise UnsupportedError(
            f"{model.variant} cannot classify; what it can do: {', '.join(model.verbs)}"
        )
    channels, size, _ = model.encoder().image_shape
    target = PixelFormat(size, channels, options.resize_filter)
    named: list[dict[str, Any]] = []
    broken: list[str] = []
    with counting("classifying", quiet=options.json) as progress:
        for start in range(0, len(files), BATCH):
            read = {}
            for file in files[start : start + BATCH]:
                try:
                    read[file] = torch.from_numpy(read_fitted(file, target))
                except DataError as error:
                    if len(files) == 1:
                        raise
                    broken.append(str(error))
            if read:
                pixels = torch.stack(list(read.values())).permute(0, 3, 1, 2)
                probable = model.classify(pixels.float().div(127.5).sub(1))
                best = probable.topk(min(options.top, probable.shape[1]))
                for file, shares, numbers in zip(read, *best, strict=True):
                    pairs = zip(numbers.tolist(), shares.tolist(), strict=True)
                    classes = [_found(n, p, model.class_names) for n, p in pairs]
                    named.append({"file": str(file), "classes": classes})
            if progress:
                progress(min(start + BATCH, len(files)), len(files))
    if options.json:
        print_json({"images": named, "broken": broken})
    else:
        rows = [[each["file"], *map(_shown, each["classes"])] for each in named]
        columns = len(rows[0]) - 1 if rows else 0
        header = ("FILE", "CLASS", *["NEXT"] * (columns - 1))
        print(table(header, rows, elastic=0))
        for sentence in broken:
            print(f"left out: {sentence}")
    return 1 if broken else 0


def _found(number: int, probability: float, names: Sequence[str]) -> dict[str, Any]:
    named = {"name": names[number]} if number < len(names) else {}
    return {"class": number, **named, "probability": probability}


def _shown(found: dict[str, Any]) -> str:
    return f"{found.get('name', found['class'])} ({found['probability']:.1%})"
