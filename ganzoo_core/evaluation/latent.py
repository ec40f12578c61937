"""Pictures of a latent space: what lies where in it, and what each of its numbers does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import norm
from torch import Tensor

from ganzoo_core import images
from ganzoo_core.components import ImageNoise
from ganzoo_core.data import ImageData, indices, open_images
from ganzoo_core.errors import UnknownNameError, UnsupportedError
from ganzoo_core.evaluation.domains_picture import domains_picture
from ganzoo_core.evaluation.evaluating import image_shape
from ganzoo_core.evaluation.factors_picture import factors_picture
from ganzoo_core.evaluation.real import Progress, pixels_to_images
from ganzoo_core.evaluation.report.charts import draw_scatter, quietly
from ganzoo_core.evaluation.report.projection import check_projection, projected
from ganzoo_core.files import whole_file
from ganzoo_core.model import Model

MANIFOLD = 20
"""Images along each side of the manifold."""
OUTERMOST = 0.95
"""Probability within which the manifold lies, along each of its two numbers."""
TRAVERSED, STEPS, REACH = 16, 11, 2.5
"""Numbers of the code that are moved at most, the steps of each, and how far to either side."""
ROWS = 10
"""Images that are reconstructed or denoised."""
ENCODED = 5000
"""Images whose codes are drawn."""


@dataclass(frozen=True, eq=False)
class _Subject:
    model: Model
    data: ImageData | None
    seed: int
    projection: str
    before: Model | None = None
    """The model that a picture may hold it against."""

    def real(self, count: int) -> tuple[Tensor, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """Return real images [N, C, H, W] and their numbers in the data."""
        if self.data is None:
            raise UnsupportedError("this picture needs real images; name some with --data")
        chosen = indices(len(self.data), min(count, len(self.data)), 0, self.seed)
        return pixels_to_images(self.data.images[chosen]), chosen


def draw_latent(
    model: Model,
    out: Path,
    *,
    pictures: Sequence[str] | None = None,
    data: str | None = None,
    data_root: Path | None = None,
    split: str = "train",
    seed: int = 0,
    projection: str = "pca",
    before: Model | None = None,
    progress: Progress | None = None,
) -> Mapping[str, Path]:
    """Draw pictures into a folder; `ganzoo_core.latent` says what the arguments mean."""
    check_projection(projection)
    fitting = [name for name, drawing in PICTURES.items() if not drawing.misfit(model)]
    for name in pictures or ():
        if name not in PICTURES:
            raise UnknownNameError("picture", name, PICTURES)
        if reason := PICTURES[name].misfit(model):
            raise UnsupportedError(f"{model.variant} has no picture {name!r}: {reason}")
        if PICTURES[name].of_data and data is None:
            raise UnsupportedError(f"the picture {name!r} needs real images; name some with --data")
    if not fitting:
        raise UnsupportedError(
            f"{model.variant} has no latent space to draw; what it can do: "
            f"{', '.join(model.verbs) or 'nothing'}"
        )
    opened = None
    if data is not None:
        channels, size, _ = image_shape(model)
        opened = open_images(
            data,
            image_size=size,
            channels=channels,
            root=data_root,
            split=split,
            progress=partial(progress, "decoded") if progress else None,
        )
    two = opened is not None and opened.other is not None
    chosen = list(pictures or [n for n in fitting if _has_data_for(PICTURES[n], opened)])
    for name in chosen:
        if PICTURES[name].of_domains and not two:
            raise UnsupportedError(
                f"the picture {name!r} is of two domains; name them with --source and --target"
            )
    if not chosen:
        raise UnsupportedError(
            f"the pictures of {model.variant} ({', '.join(fitting)}) need real images; name some "
            "with --data"
        )
    subject = _Subject(model, opened, seed, projection, before)
    drawn = {}
    for number, name in enumerate(chosen):
        picture = PICTURES[name].draw(subject)
        drawn[name] = out / f"{name}.png"
        with whole_file(drawn[name]) as partial_file:
            picture.save(partial_file, "PNG")
        if progress:
            progress("pictures", number + 1, len(chosen))
    return drawn


def _has_data_for(drawing: "Drawing", data: ImageData | None) -> bool:
    if drawing.of_domains:
        return data is not None and data.other is not None
    if drawing.of_factors:
        return data is not None and data.factors is not None
    return data is not None or not drawing.of_data


def _domains(subject: _Subject) -> Image.Image:
    """Draw where the features of two domains lie, before and after an adaptation."""
    assert subject.data is not None
    return domains_picture(
        subject.model, subject.before, subject.data, subject.seed, subject.projection
    )


def _factors(subject: _Subject) -> Image.Image:
    """Draw where codes lie by what their images were made from."""
    shown, chosen = subject.real(ENCODED)
    assert subject.data is not None
    return factors_picture(
        subject.model, subject.data, shown, chosen, subject.seed, subject.projection
    )


def _manifold(subject: _Subject) -> Image.Image:
    """Decode a grid that is even under a standard normal (Kingma and Welling 2014, figure 4)."""
    ends = (1 - OUTERMOST) / 2
    places = torch.from_numpy(norm.ppf(np.linspace(ends, 1 - ends, MANIFOLD))).float()
    # The second number rises upwards, as on paper.
    up, along = torch.meshgrid(places.flip(0), places, indexing="ij")
    latents = torch.stack([along.flatten(), up.flatten()], dim=1)
    labels = 0 if subject.model.classes else None
    decoded = subject.model.decode(latents, labels=labels, seed=subject.seed)
    return images.grid(decoded, MANIFOLD, enlarge=_enlarged(decoded, 28))


def _scatter(subject: _Subject) -> Image.Image:
    """Draw where the codes of real images lie, by class."""
    from matplotlib.figure import Figure

    real, chosen = subject.real(ENCODED)
    assert subject.data is not None
    codes = subject.model.encode(real).flatten(1).double().numpy()
    found = projected(codes, subject.projection, subject.seed)
    labels = None if subject.data.labels is None else subject.data.labels[chosen]
    figure = Figure(figsize=(8, 7), dpi=110, layout="constrained")
    drawn = BytesIO()
    with quietly():
        draw_scatter(
            figure.add_subplot(), found.points, found.axes, labels, subject.data.class_names
        )
        figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def _traversals(subject: _Subject) -> Image.Image:
    """Move each number of the latent while the others stay; the code of a real image if known."""
    model = subject.model
    (size,) = _latent_shape(model)
    if subject.data is not None and "encode" in model.verbs:
        real, _ = subject.real(256)
        codes = model.encode(real)
        start = codes[0]
        # Those that the images differ in most say most.
        order = codes.std(0).argsort(descending=True)[:TRAVERSED].tolist()
    else:
        start, order = torch.zeros(size), list(range(min(size, TRAVERSED)))
    moves = torch.linspace(-REACH, REACH, STEPS)
    latents = start.repeat(len(order), STEPS, 1)
    for row, number in enumerate(order):
        latents[row, :, number] = moves
    labels = 0 if model.classes else None
    decoded = model.decode(latents.flatten(0, 1), labels=labels, seed=subject.seed)
    return images.grid(decoded, STEPS, enlarge=_enlarged(decoded, 48))


def _reconstructions(subject: _Subject) -> Image.Image:
    """Draw images above what their codes keep of them."""
    real, _ = subject.real(ROWS)
    rows = torch.cat([real, subject.model.reconstruct(real)])
    return images.grid(rows, len(real), enlarge=_enlarged(rows, 64))


def _denoised(subject: _Subject) -> Image.Image:
    """Draw images spoilt, mended and as they were, one above the other."""
    real, _ = subject.real(ROWS)
    encoder = subject.model.encoder()
    noise = ImageNoise(subject.seed, range(len(real)))
    spoilt = encoder.corrupt(real, noise)
    rows = torch.cat([spoilt, subject.model.reconstruct(spoilt), real])
    return images.grid(rows, len(real), enlarge=_enlarged(rows, 64))


def _enlarged(pictures: Tensor, wanted: int) -> int:
    """Return how many times small images are enlarged to be about `wanted` pixels."""
    return max(1, wanted // int(pictures.shape[-1]))


def _latent_shape(model: Model) -> tuple[int, ...]:
    from ganzoo_core.evaluation.drawing import generator_of

    return tuple(generator_of(model).latent_shape)


def _lacks(*verbs: str) -> Callable[[Model], str]:
    def misfit(model: Model) -> str:
        missing = [verb for verb in verbs if verb not in model.verbs]
        return f"it cannot {missing[0]}" if missing else ""

    return misfit


def _not_two_numbers(model: Model) -> str:
    if reason := _lacks("decode")(model):
        return reason
    shape = _latent_shape(model)
    return "" if shape == (2,) else f"its latents have the shape {list(shape)}, not [2]"


def _not_flat(model: Model) -> str:
    if reason := _lacks("decode")(model):
        return reason
    return "" if len(_latent_shape(model)) == 1 else "its latents are no rows of numbers"


def _not_denoising(model: Model) -> str:
    if reason := _lacks("reconstruct")(model):
        return reason
    return "" if model.encoder().denoises else "it does not learn from spoilt images"


@dataclass(frozen=True)
class Drawing:
    """A picture of a latent space."""

    summary: str
    misfit: Callable[[Model], str]
    """Why a model has no such picture; empty where it has."""
    draw: Callable[[_Subject], Image.Image]
    of_data: bool = False
    """Whether it needs real images."""
    of_domains: bool = False
    """Whether they must be of two domains."""
    of_factors: bool = False
    """Whether it must be known what they were made from."""


PICTURES: Mapping[str, Drawing] = {
    "manifold": Drawing("a grid over a latent of two numbers", _not_two_numbers, _manifold),
    "scatter": Drawing("codes of real images by class", _lacks("encode"), _scatter, True),
    "factors": Drawing(
        "codes of real images by what these were made from",
        _lacks("encode"),
        _factors,
        True,
        of_factors=True,
    ),
    "domains": Drawing(
        "features of two domains by domain and by class, before and after",
        _lacks("encode"),
        _domains,
        True,
        True,
    ),
    "traversals": Drawing("each number of the latent moved alone", _not_flat, _traversals),
    "reconstructions": Drawing(
        "real images above their reconstructions", _lacks("reconstruct"), _reconstructions, True
    ),
    "denoised": Drawing("images spoilt, mended and clean", _not_denoising, _denoised, True),
}
"""Every picture by the name that `--pictures` takes."""
