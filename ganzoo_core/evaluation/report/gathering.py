"""What a report says of a model, gathered part by part."""

import json
import math
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganzoo_core import __version__, images
from ganzoo_core.components import ImageNoise, MappedGenerator
from ganzoo_core.data import ImageData, indices, open_images
from ganzoo_core.errors import HubError
from ganzoo_core.evaluation.drawing import generator_of
from ganzoo_core.evaluation.evaluating import image_shape, nearest_picture, results_of
from ganzoo_core.evaluation.evidence import Evidence
from ganzoo_core.evaluation.features import default_features, find_features
from ganzoo_core.evaluation.real import Progress, pixels_to_images
from ganzoo_core.evaluation.report.charts import draw_curves, draw_scatter
from ganzoo_core.evaluation.report.content import Chart, Picture, Report, Section, Table
from ganzoo_core.evaluation.report.projection import check_projection, projected
from ganzoo_core.hub.card import read_card
from ganzoo_core.model import Model
from ganzoo_core.settings import flattened
from ganzoo_core.training.run import public_name

WALKS, FRAMES = 6, 10
"""Interpolations, and the images on each."""

TRUNCATED = 8
"""Latents that are shown under every truncation."""
TRUNCATIONS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STYLE_TRUNCATIONS = (1.0, 0.7, 0.5, 0.0, -0.5, -1.0)
"""ψ of figure 8 of Karras et al. 2019, for generators with styles."""

ENCODED = 2000
"""Images whose codes are drawn: more would hide each other."""
MOST_CLASSES = 20
"""Beyond these, colours and names tell nothing."""

RECONSTRUCTED = 20
PAIRS_IN_A_ROW = 10


class _LeftOutError(Exception):
    """A part does not apply; the message is why, without a full stop."""


@dataclass(frozen=True, eq=False)
class _Subject:
    """A model, the data to show it with, and how."""

    model: Model
    data: ImageData | None
    split: str
    count: int
    seed: int
    batch_size: int
    projection: str
    progress: Progress | None

    def needed(self) -> ImageData:
        if self.data is None:
            raise _LeftOutError("it needs real images, which --data names")
        return self.data

    @property
    def data_name(self) -> str:
        """Which images the data are, without the folders of the machine that they lie on."""
        return f"{public_name(self.needed().name)} ({self.split})"

    def verb(self, verb: str, for_what: str) -> None:
        if verb not in self.model.verbs:
            raise _LeftOutError(f"{self.model.variant} cannot {verb}, so there is {for_what}")

    def chosen(self, count: int) -> "tuple[ImageData, np.ndarray[Any, np.dtype[np.int64]]]":
        """Return the data and the numbers of `count` of their images, or of all."""
        data = self.needed()
        return data, indices(len(data), min(count, len(data)), 0, self.seed)


def drawn_up(
    model: Model,
    *,
    data: str | None = None,
    count: int = 64,
    seed: int = 0,
    batch_size: int = 64,
    split: str = "train",
    data_root: Path | None = None,
    resize_filter: str = "lanczos",
    projection: str = "pca",
    progress: Progress | None = None,
) -> Report:
    """Gather what a report shows; `ganzoo_core.report` says what the arguments mean."""
    check_projection(projection)
    opened = None
    if data is not None:
        channels, height, _ = image_shape(model)
        opened = open_images(
            data,
            image_size=height,
            channels=channels,
            root=data_root,
            split=split,
            resize_filter=resize_filter,
            progress=partial(progress, "decoded") if progress else None,
        )
    subject = _Subject(model, opened, split, count, seed, batch_size, projection, progress)
    sections, left_out = [], {}
    for number, (title, gather) in enumerate(_PARTS.items()):
        try:
            sections.append(Section(title, *gather(subject)))
        except _LeftOutError as reason:
            left_out[title] = str(reason)
        if progress:
            progress("report", number + 1, len(_PARTS))
    entry = model.blueprint.entry
    paper = entry.paper
    return Report(
        title=f"{entry.title}: {_origin(model)}",
        summary=(
            f"{entry.summary} After {paper.authors} ({paper.year}), {paper.title}. "
            f"Everything drawn here is of seed {seed}."
        ),
        sections=tuple(sections),
        left_out=left_out,
    )


class _Gathered(NamedTuple):
    text: str
    parts: tuple[Picture | Chart | Table, ...]


def _about(subject: _Subject) -> _Gathered:
    model, blueprint = subject.model, subject.model.blueprint
    entry, said = blueprint.entry, blueprint.to_json()
    plugin = said["plugin"]
    facts = {
        "Variant": f"{said['variant']} ({plugin['distribution']} {plugin['version']})",
        "Paper": f"{entry.paper.authors} ({entry.paper.year}), {entry.paper.title}",
        "Can": ", ".join(model.verbs),
        "Weights": f"{model.parameters:,}, from {_origin(model)}",
        "Licence of the weights": model.origin.license or "not stated",
        "Training": _training(model),
        "This page": _machine(model),
    }
    return _Gathered("", (Table(tuple(facts.items())),))


def _settings(subject: _Subject) -> _Gathered:
    said = subject.model.blueprint.to_json()
    rows = [
        (role, its["component"], _listed(its["config"])) for role, its in said["components"].items()
    ]
    rows.append(("training", "", _listed(said["training"])))
    return _Gathered("", (Table(tuple(rows), ("Part", "Component", "Settings")),))


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(
        f"{path}={json.dumps(value, ensure_ascii=False)}"
        for path, value in flattened(settings).items()
    )


def _samples(subject: _Subject) -> _Gathered:
    model = subject.model
    subject.verb("sample", "nothing to draw")
    drawn = model.sample(subject.count, seed=subject.seed, batch_size=subject.batch_size)
    classes = model.classes
    columns = classes if 1 < classes <= MOST_CLASSES else None
    text = f"{len(drawn)} images of seed {subject.seed}, the first that there are: none was chosen."
    if classes:
        text += f" It is asked for its {classes} classes in turn"
        text += ", one a column." if columns else "."
    return _Gathered(text, (_picture(drawn, f"A grid of {len(drawn)} generated images", columns),))


def _interpolations(subject: _Subject) -> _Gathered:
    subject.verb("sample", "nothing to walk between")
    walks = subject.model.interpolate(WALKS, FRAMES, seed=subject.seed)
    return _Gathered(
        "Each row goes from one latent to another along the great circle, as suits Gaussian "
        "latents. Smooth changes speak against learning by heart.",
        (_picture(walks.flatten(0, 1), f"{WALKS} rows of {FRAMES} images", FRAMES),),
    )


def _truncation(subject: _Subject) -> _Gathered:
    model = subject.model
    subject.verb("decode", "no latent to shrink")
    generator = generator_of(model)
    if isinstance(generator, MappedGenerator):
        return _truncated_styles(subject)
    numbers = range(TRUNCATED)
    latents = generator.latents(TRUNCATED, ImageNoise(subject.seed, numbers, model.device))
    normal = ImageNoise(subject.seed, numbers, model.device).normal(TRUNCATED, *latents.shape[1:])
    if not torch.equal(latents, normal):
        raise _LeftOutError(
            f"the latents of {model.variant} are not standard normal, for which truncation is "
            "defined"
        )
    columns = [model.decode(latents * factor, seed=subject.seed) for factor in TRUNCATIONS]
    shown = torch.stack(columns, 1).flatten(0, 1)
    factors = ", ".join(f"{factor:g}" for factor in TRUNCATIONS)
    return _Gathered(
        f"Each row is one latent, shrunk to {factors} of itself from left to right: nearer to the "
        "middle of the prior images are more typical and differ less.",
        (_picture(shown, f"{TRUNCATED} rows of {len(TRUNCATIONS)} images", len(TRUNCATIONS)),),
    )


def _truncated_styles(subject: _Subject) -> _Gathered:
    columns = [
        subject.model.sample(TRUNCATED, seed=subject.seed, truncation=psi)
        for psi in STYLE_TRUNCATIONS
    ]
    shown = torch.stack(columns, 1).flatten(0, 1)
    factors = ", ".join(f"{psi:g}" for psi in STYLE_TRUNCATIONS)
    return _Gathered(
        f"Each row is one style, moved towards the mean of all styles: ψ is {factors} from left to "
        "right. At 0 it is the mean itself, the same for all but the noise; below 0 what is drawn "
        "is the contrary of the image.",
        (_picture(shown, f"{TRUNCATED} rows of {len(columns)} images", len(columns)),),
    )


def _latents(subject: _Subject) -> _Gathered:
    model = subject.model
    subject.verb("encode", "no code of an image")
    data, chosen = subject.chosen(ENCODED)
    codes = model.encode(_images(data, chosen), batch_size=subject.batch_size)
    codes = codes.flatten(1).double()
    if not bool(torch.isfinite(codes).all()):
        raise _LeftOutError("some codes are infinite or not a number: the encoder has diverged")
    if len(codes) < 3:
        raise _LeftOutError(f"{len(codes)} images are too few to show how their codes lie")
    points, axes = projected(codes.numpy(), subject.projection, subject.seed)
    classes, names, what = _classes(data, chosen)
    size = codes.shape[1]
    how = "as they are" if size <= 2 else f"of {size} numbers, brought to two"
    kind = f"The codes of {len(codes)} images of {subject.data_name}, {how}"
    return _Gathered(
        f"{kind}, coloured by {what}." if what else f"{kind}.",
        (
            Chart(
                partial(_scatter, points, axes, classes, names), f"{kind}, as a scatter plot", 0.7
            ),
        ),
    )


def _scatter(
    points: "np.ndarray[Any, np.dtype[np.float64]]",
    names: tuple[str, str],
    classes: "np.ndarray[Any, np.dtype[np.int64]] | None",
    class_names: tuple[str, ...],
    axes: Any,
) -> None:
    draw_scatter(axes, points, names, classes, class_names)


def _reconstructions(subject: _Subject) -> _Gathered:
    model = subject.model
    subject.verb("reconstruct", "nothing to hold beside an image")
    data, chosen = subject.chosen(RECONSTRUCTED)
    given = _images(data, chosen)
    rebuilt = model.reconstruct(given, batch_size=subject.batch_size)
    columns = min(PAIRS_IN_A_ROW, len(given))
    # Whole rows only: each row of images has the row of what became of them below it.
    rows = [
        row
        for start in range(0, len(given) - columns + 1, columns)
        for row in (given[start : start + columns], rebuilt[start : start + columns])
    ]
    return _Gathered(
        f"Images of {subject.data_name}, and below each row what encoding and decoding leaves of "
        "them.",
        (_picture(torch.cat(rows), f"{len(rows)} rows of {columns} images, in pairs", columns),),
    )


def _neighbours(subject: _Subject) -> _Gathered:
    subject.verb("sample", "nothing whose neighbours could be looked for")
    data = subject.needed()
    try:
        features = find_features(default_features(data.name, data.channels), subject.model.device)
    except HubError as error:
        raise _LeftOutError(str(error)) from error
    evidence = Evidence(
        subject.model,
        data,
        features,
        count=min(8, subject.count),
        seed=subject.seed,
        batch_size=subject.batch_size,
        keep={"features", "images"},
        progress=subject.progress,
    )
    return _Gathered(
        f"At the left of each row a generated image, then the images of {subject.data_name} "
        f"nearest to it in the eyes of {features.name}. Copies among them would have been learned "
        "by heart.",
        (
            Picture(
                nearest_picture(evidence), "Generated images, each beside its nearest real ones"
            ),
        ),
    )


def _losses(subject: _Subject) -> _Gathered:
    folder = _run_of(subject.model)
    if folder is None:
        raise _LeftOutError("the model does not lie in the run that trained it")
    steps, losses = _logged(folder / "metrics.jsonl")
    if not steps:
        raise _LeftOutError(f"{folder.name}/metrics.jsonl holds no losses")
    parts = {name: values for name, values in losses.items() if "/" in name}
    whole = {name: values for name, values in losses.items() if "/" not in name}
    charts = [
        Chart(
            partial(_curves, steps, shown), f"{what} over {steps[-1]:g} steps: {', '.join(shown)}"
        )
        for what, shown in (("Losses", whole), ("Parts of the losses", parts))
        if shown
    ]
    return _Gathered(
        f"What was logged in {steps[-1]:,g} steps; where that is more than a line can show, "
        "stretches of it are averaged.",
        tuple(charts),
    )


def _curves(steps: list[float], curves: dict[str, list[float]], axes: Any) -> None:
    draw_curves(axes, steps, curves)


def _measured(subject: _Subject) -> _Gathered:
    results = results_of(subject.model)
    if not results:
        raise _LeftOutError(
            "nothing has been measured of these weights; ganzoo evaluate does, and keeps it in "
            "the run's folder"
        )
    rows = tuple(
        (
            result.metric,
            f"{result.value:.5g}" + ("" if result.spread is None else f" ± {result.spread:.2g}"),
            "" if result.better == "neither" else result.better,
            f"{result.data} ({result.split})",
            f"{result.real or '–'} / {result.generated or '–'}",
            result.weights,
        )
        for result in results
    )
    header = ("Metric", "Value", "Better", "Data", "Real / generated", "Weights")
    return _Gathered("As evaluation.json has it.", (Table(rows, header),))


_PARTS: dict[str, Callable[[_Subject], _Gathered]] = {
    "What it is": _about,
    "Samples": _samples,
    "Interpolations": _interpolations,
    "Truncation": _truncation,
    "Codes of real images": _latents,
    "Reconstructions": _reconstructions,
    "Nearest neighbours": _neighbours,
    "Losses": _losses,
    "Measured": _measured,
    "Settings": _settings,
}
"""Every part in the order of the page."""


def _picture(drawn: Tensor, says: str, columns: int | None = None) -> Picture:
    enlarge = max(1, 64 // drawn.shape[-1])
    return Picture(images.grid(drawn, columns, enlarge=enlarge), says)


def _images(data: ImageData, chosen: "np.ndarray[Any, np.dtype[np.int64]]") -> Tensor:
    return pixels_to_images(data.images[chosen])


def _classes(
    data: ImageData, chosen: "np.ndarray[Any, np.dtype[np.int64]]"
) -> "tuple[np.ndarray[Any, np.dtype[np.int64]] | None, tuple[str, ...], str]":
    """Return the classes of images, their names, and what they are; without any, the factor.

    The factor is the first with several values, which is the shape of dSprites.
    """
    if data.labels is not None and len(data.class_names) <= MOST_CLASSES:
        return data.labels[chosen], data.class_names, "class"
    for number, size in enumerate(data.factor_sizes):
        if data.factors is not None and 1 < size <= MOST_CLASSES:
            names = tuple(map(str, range(size)))
            return data.factors[chosen, number], names, f"the factor {data.factor_names[number]}"
    return None, (), ""


def _run_of(model: Model) -> Path | None:
    """Return the folder of the run that a model lies in, or None."""
    if model.origin.place not in ("run", "folder"):
        return None
    folder = Path(model.origin.where).absolute().parent
    return folder if (folder / "run.json").is_file() else None


def _logged(file: Path) -> tuple[list[float], dict[str, list[float]]]:
    """Read what a run logged, passing over what cannot be read: steps and losses by name."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [], {}
    read = []
    for line in lines:
        try:
            its = json.loads(line)
            losses = {str(name): float(value) for name, value in its["losses"].items()}
            read.append((float(its["step"]), losses))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    names = dict.fromkeys(name for _, losses in read for name in losses)
    curves = {name: [losses.get(name, math.nan) for _, losses in read] for name in names}
    return [step for step, _ in read], curves


def _origin(model: Model) -> str:
    """Say where weights came from, without the folders of the machine that they lie on."""
    origin = model.origin
    where = Path(origin.where)
    match origin.place:
        case "fresh":
            return "fresh weights, not trained"
        case "run":
            return f"the run {where.absolute().parent.name}"
        case "folder":
            return f"the folder {where.absolute().name}"
        case "package":
            distribution = model.blueprint.variant.plugin.distribution
            return f"{where.name}, which {distribution} ships (verified)"
        case _:
            verified = " (verified)" if origin.verified else ""
            return f"{origin.where} on the Hub{verified}"


def _training(model: Model) -> str:
    """Return the first paragraph on training of the card beside the weights."""
    if model.origin.place not in ("run", "folder", "package"):
        return "see the model card on the Hub" if model.origin.place != "fresh" else "none"
    card = read_card(Path(model.origin.where) / "README.md", license="")
    return " ".join(card.training.partition("\n\n")[0].split()) or "not recorded"


def _machine(model: Model) -> str:
    if model.device.type == "cuda":
        device = torch.cuda.get_device_name(model.device)
    else:
        device = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return (
        f"made by ganzoo-core {__version__} with torch {torch.__version__} and Python "
        f"{platform.python_version()} on {device}"
    )
