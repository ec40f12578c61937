"""Options that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

Completer = Callable[..., list[str]]
MOST_NUMBERS = 100_000
"""The most numbers that one range may name."""


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps, …"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the positional name of a trained model."""
    action = parser.add_argument(
        "model", help="a run's or model's folder, a pretrained tag, or org/name on the Hub"
    )
    completed(action, model_names)


def add_domains(parser: Any) -> None:
    """Add `--source`, `--target` and `--target-test`, which go in the place of `--data`."""
    parser.add_argument("--source", help="of domain adaptation: images with labels, as for --data")
    parser.add_argument("--target", help="images to adapt to; their labels serve the score alone")
    parser.add_argument(
        "--target-test", help="images to take the score of (default: the target's test set)"
    )


def data_name(options: argparse.Namespace, default: str = "digits") -> str:
    """Return the one name of the data that were given as `--data` or as two domains.

    Raises:
        GanzooError: they were given in both ways, or only one of the two domains.
    """
    from ganzoo_core.data.compound import joined_domains
    from ganzoo_core.errors import ConfigError

    joined = joined_domains(options.source, options.target, options.target_test)
    if joined and options.data:
        raise ConfigError("--data is one set of images, --source and --target are two; give either")
    return joined or options.data or default


def add_videos(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add where videos come from."""
    parser.add_argument("--data", required=required, help="videos, as for ganzoo train")
    parser.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    parser.add_argument("--split", default="train", help="train (default) or test")
    parser.add_argument(
        "--resize-filter", default="lanczos", help="lanczos (default), bicubic, bilinear or box"
    )


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """Add how a generator with styles renders them: `--truncation`, `--cutoff` and `--noise`."""
    parser.add_argument(
        "--truncation",
        type=number,
        default=1.0,
        metavar="PSI",
        help="of a generator with styles: keep them nearer to their mean, such as 0.7",
    )
    parser.add_argument(
        "--cutoff", type=whole, metavar="LAYERS", help="truncate the first layers only"
    )
    parser.add_argument(
        "--noise",
        choices=("drawn", "fixed", "none", "coarse", "fine"),
        default="drawn",
        help="of a generator with styles: for each image (default), the same for all, or only in "
        "some layers",
    )


def rendering_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_rendering` read, as the model's verbs take it."""
    return {
        "truncation": options.truncation,
        "cutoff": options.cutoff,
        "noise": options.noise,
    }


def add_variant(parser: argparse.ArgumentParser, **options: Any) -> None:
    """Add the positional name of a variant, completed from what is installed."""
    completed(parser.add_argument("variant", help="name of a variant", **options), variant_names)


def completed(action: argparse.Action, completer: Completer) -> None:
    """Give an option the names that the shell offers for it."""
    action.completer = completer  # type: ignore[attr-defined]


def variant_names(**_: object) -> list[str]:
    """Return the names of the installed variants, for completion."""
    from ganzoo_core.plugins import read_installed

    return read_installed().names()


def model_names(**_: object) -> list[str]:
    """Return the names of the known pretrained weights, for completion."""
    from ganzoo_core.hub.pretrained import known_weights
    from ganzoo_core.plugins import read_installed

    return [weights.name for weights in known_weights(read_installed())]


def component_names(kind: str) -> Completer:
    """Return a completer over the installed components of one kind."""

    def names(**_: object) -> list[str]:
        from ganzoo_core.plugins import read_installed

        return read_installed().component_names(kind)  # type: ignore[arg-type]

    return names


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def natural(text: str) -> int:
    """Read a whole number of at least 0 and below 2⁶³."""
    number = whole(text)
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2**63 - 1, not {number}")
    return number


def numbers(text: str) -> list[int]:
    """Read whole numbers of at least 0: 7, 0-9 or 1,3,5-7."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = range(natural(first), natural(last if dash else first) + 1)
        if not 0 < len(numbers) <= MOST_NUMBERS:
            raise argparse.ArgumentTypeError(f"{part!r} is no range of numbers, such as 0-9")
        found += numbers
    return found


def classes(text: str) -> list[int | str]:
    """Read classes: 7, 0-9, 1,3,5-7, or names such as cat,dog."""
    found: list[int | str] = []
    for part in map(str.strip, text.split(",")):
        found += numbers(part) if _is_numeric(part) else [part]
    return found


def class_(text: str) -> int | str:
    """Read one class: 7, or a name."""
    return natural(text) if _is_numeric(text) else text.strip()


def _is_numeric(text: str) -> bool:
    return set(text) <= set("0123456789- ")


def seeds(text: str) -> int | list[int]:
    """Read the seed of a series, 7, or those of single images: 1-64, 1,3,5-7, 5-5 for one."""
    first, dash, _ = text.strip().partition("-")
    return numbers(text) if "," in text or (first and dash) else natural(text)


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None


def number(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None


def image_files(given: Path) -> list[Path]:
    """Return the image that was given as `--input`, or those in the folder, sorted.

    Raises:
        DataError: there is no such file or folder, or no image in it.
    """
    from ganzoo_core.data.folder import SUFFIXES
    from ganzoo_core.errors import DataError

    if given.is_file():
        return [given]
    if not given.is_dir():
        raise DataError(f"there is no image or folder {given}; check --input")
    found = sorted(child for child in given.iterdir() if child.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"{given} holds no image files; give a folder with files such as .png")
    return found


def path(text: str) -> Path:
    """Read a path; `~` is the home folder."""
    return Path(text).expanduser()
