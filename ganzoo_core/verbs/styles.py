"""Generators with styles: truncation, the space W, mixing, and the search for an image's style."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.components import (
    NOISE_MODES,
    ImageNoise,
    MappedGenerator,
    NoiseMode,
    Rendering,
    drawing_from,
)
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.verbs.parts import (
    Label,
    Labels,
    asked_labels,
    at_rest,
    check_positive,
    check_shape,
    find,
    unable,
)

if TYPE_CHECKING:
    from ganzoo_core.evaluation.features import Features
    from ganzoo_core.model import Model
    from ganzoo_core.projecting import Observe, Projection, Space


def rendering(
    model: "Model", truncation: float = 1.0, cutoff: int | None = None, noise: NoiseMode = "drawn"
) -> Rendering:
    """Return how images are to be made of styles, checked against what the generator has.

    Raises:
        UnsupportedError: it has no styles, or no such layers or kind of noise.
    """
    asked = Rendering(truncation, cutoff, noise)
    if asked == Rendering():
        return asked
    generator = model.mapped("truncate or choose its noise")
    if not math.isfinite(truncation):
        raise UnsupportedError(f"truncation must be a number, such as 0.7, not {truncation}")
    if cutoff is not None and not 0 <= cutoff <= generator.style_layers:
        raise UnsupportedError(
            f"the generator of {model.variant} has {generator.style_layers} layers with styles; "
            f"the cutoff cannot be {cutoff}"
        )
    if noise not in NOISE_MODES:
        raise UnsupportedError(
            f"there is no noise {noise!r}; choose one of {', '.join(NOISE_MODES)}"
        )
    return asked


def mapped(model: "Model", verb: str = "map latents to styles") -> MappedGenerator:
    """Return the generator with styles.

    Raises:
        UnsupportedError: the model has none.
    """
    generator = find(model, MappedGenerator)
    if generator is None:
        raise unable(model, verb, "it has no intermediate latent space, as StyleGAN has")
    return generator


def map(model: "Model", latents: Tensor, *, labels: Labels = None, batch_size: int = 64) -> Tensor:
    """Return the styles w of latents [N, *latent_shape]: [N, style_size], on the CPU.

    Raises:
        UnsupportedError: the model has no styles, or the latents have another shape.
    """
    generator = model.mapped()
    check_shape(model, "maps latents", latents, generator.latent_shape)
    asked = asked_labels(model, generator, labels, len(latents))
    styles = []
    for start in range(0, len(latents), batch_size):
        its = None if asked is None else asked[start : start + batch_size].to(model.device)
        with at_rest(generator):
            chunk = latents[start : start + batch_size].to(model.device)
            styles.append(generator.map(chunk, its).float().cpu())
    return torch.cat(styles)


def synthesize(
    model: "Model",
    styles: Tensor,
    *,
    truncation: float = 1.0,
    cutoff: int | None = None,
    noise: NoiseMode = "drawn",
    seed: int = 0,
    batch_size: int = 64,
) -> Tensor:
    """Make images of styles, in W or W+.

    Args:
        styles: [N, style_size], or [N, style_layers, style_size] with one for each layer.
        truncation: as for `sample`, and so are `cutoff` and `noise`.
        cutoff: see there.
        noise: see there.
        seed: of the drawn noise; image i has the noise of number i.
        batch_size: images at a time.

    Returns:
        [N, channels, height, width], in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model has no styles, or these have another shape.
    """
    generator = model.mapped("make images of styles")
    size: tuple[int, ...] = (generator.style_size,)
    if styles.dim() != 2:
        size = (generator.style_layers, *size)
    check_shape(model, "makes images of styles", styles, size)
    rendering = model.rendering(truncation, cutoff, noise)
    images = []
    for start in range(0, len(styles), batch_size):
        chunk = styles[start : start + batch_size].to(model.device)
        draws = ImageNoise(seed, range(start, start + len(chunk)), model.device)
        images.append(drawn_styles(generator, chunk, draws, rendering))
    return torch.cat(images)


def mix(
    model: "Model",
    rows: Sequence[int],
    columns: Sequence[int],
    layers: Sequence[int] = range(4),
    *,
    label: Label | None = None,
    truncation: float = 1.0,
    cutoff: int | None = None,
    noise: NoiseMode = "drawn",
) -> Tensor:
    """Give images some of the styles of others (Karras et al. 2019, figure 3).

    Args:
        rows: seeds of the images that keep all other styles, down the left.
        columns: seeds of those whose styles are taken, along the top.
        layers: whose styles are taken: 0 to 3 for the coarse ones of the figure, 4 to 7 for the
            middle ones.
        label: of a conditional model: the class of all images.
        truncation: as for `sample`, and so are `cutoff` and `noise`.
        cutoff: see there.
        noise: see there; a mixed image has that of its row.

    Returns:
        [1 + rows, 1 + columns, channels, height, width], in [-1, 1], on the CPU: the sources in
        the first row and column, whose corner is white.

    Raises:
        UnsupportedError: the model has no styles or no such layers, or there are no seeds.
    """
    generator = model.mapped("mix styles")
    rendering = model.rendering(truncation, cutoff, noise)
    check_positive(rows=len(rows), columns=len(columns), layers=len(layers))
    beyond = [layer for layer in layers if not 0 <= layer < generator.style_layers]
    if beyond:
        raise UnsupportedError(
            f"the generator of {model.variant} has the layers 0 to "
            f"{generator.style_layers - 1}, and not {beyond[0]}"
        )
    sources = []
    for seeds in (rows, columns):
        labels = asked_labels(model, generator, label, len(seeds))
        draws = ImageNoise.of_seeds(seeds, model.device)
        latents = generator.latents(len(seeds), draws)
        with at_rest(generator):
            its = None if labels is None else labels.to(model.device)
            styles = generator.broadcast(generator.map(latents, its))
        sources.append((styles, drawn_styles(generator, styles, draws, rendering)))
    (kept, down), (taken, along) = sources
    lines = [torch.cat([torch.ones_like(along[:1]), along])]
    for number, seed in enumerate(rows):
        styles = kept[number].expand_as(taken).clone()
        styles[:, list(layers)] = taken[:, list(layers)]
        draws = ImageNoise.of_seeds([seed] * len(columns), model.device)
        generator.latents(len(columns), draws)  # the noise goes on where the source's does
        mixed = drawn_styles(generator, styles, draws, rendering)
        lines.append(torch.cat([down[number : number + 1], mixed]))
    return torch.stack(lines)


def project(
    model: "Model",
    target: Tensor,
    *,
    space: "Space" = "w",
    steps: int = 1000,
    label: Label | None = None,
    features: "Features | None" = None,
    noise: bool = True,
    seed: int = 0,
    observe: "Observe | None" = None,
) -> "Projection":
    """Look for the style that the generator draws an image of.

    Args:
        target: [channels, height, width] in [-1, 1], of the size of the model's images.
        space: "w", one style for all layers, or "w+", one for each.
        steps: how long to look.
        label: of a conditional model: the image's class, 0 unless given.
        features: the network in whose eyes the images are compared, such as
            `ganzoo_core.evaluation.features.find_features` gives; by pixels where None.
        noise: look for the layers' noise too; else it is what `seed` draws.
        seed: of all that is drawn.
        observe: told how it goes; see `ganzoo_core.projecting.Observe`.

    Raises:
        UnsupportedError: the model has no styles, the target another shape, or `steps` is
            below 1.
    """
    from ganzoo_core.projecting import project as search

    generator = model.mapped("project images")
    if generator.classes and label is None:
        label = 0
    with at_rest(generator, gradients=True):
        return search(
            generator,
            target,
            space=space,
            steps=steps,
            label=asked_labels(model, generator, label, 1),
            features=features,
            noise=noise,
            seed=seed,
            observe=observe,
        )


def drawn_styles(
    generator: MappedGenerator,
    styles: Tensor,
    noise: ImageNoise,
    rendering: Rendering,
) -> Tensor:
    """Draw styles with their noise: [N, C, H, W] in [-1, 1], on the CPU."""
    with at_rest(generator), drawing_from(noise, generator):
        return rendering.of_styles(generator, styles).float().cpu()
