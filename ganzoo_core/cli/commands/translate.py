"""Translate images from one domain to the other.

The input is an image or a folder of images, of any sizes; the output is named after it. Large
images are translated in overlapping tiles. An existing output is refused unless --force.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo_core.cli.options import (
    add_device,
    add_json,
    add_model,
    image_files,
    natural,
    path,
    positive,
)
from ganzoo_core.cli.render import print_json
from ganzoo_core.errors import DataError, RunError

if TYPE_CHECKING:
    from ganzoo_core.model import Model

EXAMPLES = """\
examples:
  ganzoo translate cyclegan.emoji --input photo.png
  ganzoo translate runs/horses --input photos --direction ba --out zebras
"""

WRITTEN = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Suffixes that outputs keep; others become .png."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser)
    parser.add_argument("--input", type=path, required=True, help="an image, or a folder of images")
    parser.add_argument(
        "--direction", choices=("ab", "ba"), help="from A to B or back (default: the model's first)"
    )
    parser.add_argument(
        "--out", type=path, help="a file, or a folder (default: named after the input)"
    )
    parser.add_argument("--force", action="store_true", help="replace outputs that exist")
    parser.add_argument("--seed", type=natural, default=0, help="of networks that draw noise")
    parser.add_argument(
        "--tile", type=positive, default=1024, help="pixels translated at once (default 1024)"
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Translate and save."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import counting

    inputs = image_files(options.input)
    model = zoo.load(options.model, device=options.device)
    way = options.direction or next(iter(model.directions), "ab")
    model.translator(way)
    outputs = _outputs(options, inputs, way)
    broken: list[str] = []
    with counting("translating", quiet=options.json) as progress:
        for number, (source, target) in enumerate(zip(inputs, outputs, strict=True)):
            try:
                _translate(model, source, target, way, options.seed, options.tile)
            except DataError as error:
                if len(inputs) == 1:
                    raise
                broken.append(str(error))
            if progress:
                progress(number + 1, len(inputs))
    done = len(inputs) - len(broken)
    if options.json:
        print_json(
            {
                "direction": way,
                "out": [str(target) for target in outputs],
                "translated": done,
                "broken": broken,
            }
        )
    else:
        for sentence in broken:
            print(f"left out: {sentence}")
        where = outputs[0] if len(outputs) == 1 else outputs[0].parent
        print(f"{done} of {len(inputs)} images translated {way}: {where}")
    return 1 if broken else 0


def _translate(model: "Model", source: Path, target: Path, way: str, seed: int, tile: int) -> None:
    import torch

    from ganzoo_core import images
    from ganzoo_core.data.pixels import read_whole

    pixels = read_whole(source, channels=model.translator(way).image_shape[0])
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    done = model.translate(image, direction=way, seed=seed, tile=tile)
    images.save_picture(done[0], target)


def _outputs(options: argparse.Namespace, inputs: list[Path], way: str) -> list[Path]:
    """Return where each translation goes, none of which may exist unless it is to be replaced."""
    given, out = options.input, options.out
    if given.is_file():
        if out is None:
            outputs = [Path(f"{given.stem}-{way}{_suffix(given)}")]
        elif out.suffix and not out.is_dir():
            if out.suffix.lower() not in WRITTEN:
                raise DataError(
                    f"{out} has the suffix {out.suffix!r}; ganzoo writes {', '.join(WRITTEN)}"
                )
            outputs = [out]
        else:
            outputs = [out / f"{given.stem}{_suffix(given)}"]
    else:
        folder = out or Path(f"{given.resolve().name}-{way}")
        if folder.is_file() or folder.resolve() == given.resolve():
            raise RunError(f"{folder} cannot hold the translations; choose another folder as --out")
        outputs = [folder / f"{source.stem}{_suffix(source)}" for source in inputs]
        twice = {target for target in outputs if outputs.count(target) > 1}
        if twice:
            raise DataError(f"two images of {given} would become {min(twice)}; rename one of them")
    existing = [target for target in outputs if target.exists()]
    if existing and not options.force:
        raise RunError(f"{existing[0]} exists already; replace it with --force, or choose --out")
    return outputs


def _suffix(source: Path) -> str:
    return source.suffix if source.suffix.lower() in WRITTEN else ".png"
