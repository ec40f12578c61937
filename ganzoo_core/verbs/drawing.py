"""Drawing images: of latents that are drawn, and of latents that are given."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.components import Generator, ImageNoise, NoiseMode
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.prompting import Prompt, Text
from ganzoo_core.verbs.captions import drawing_of
from ganzoo_core.verbs.codes import with_code
from ganzoo_core.verbs.parts import (
    Label,
    Labels,
    Progress,
    asked_labels,
    check_positive,
    check_shape,
    generated,
    need,
)

if TYPE_CHECKING:
    from ganzoo_core.model import Model


def sample(
    model: "Model",
    count: int,
    *,
    seed: int | Sequence[int] = 0,
    labels: Labels = None,
    codes: Mapping[str, float] = MappingProxyType({}),
    text: Text = None,
    prompt: Prompt = Prompt(),  # noqa: B008 immutable
    truncation: float = 1.0,
    cutoff: int | None = None,
    noise: NoiseMode = "drawn",
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Tensor:
    """Draw images; image number i of a seed is the same however many are drawn and batched.

    Args:
        count: how many images, at least 1.
        seed: of the series; or a seed for each image, which is then the first of its series.
        labels: of a conditional model: the class that all images show, or one for each image;
            by default the classes in turn.
        codes: parts of the latent to set, such as `{"c1": 3}`; see `codes`.
        text: of a model of captions: one for all images, or one for each.
        prompt: of a model of captions: all that can be asked for beside the text.
        truncation: ψ, of a generator with styles: how far they stay from their mean, 0 for the
            mean itself and 1 for no truncation.
        cutoff: how many layers, from the first on, are truncated; by default as the generator
            says.
        noise: of a generator with styles: which layers add noise, and whether it is drawn for
            each image; see `NoiseMode`.
        batch_size: images at a time.
        progress: called with the number of images done and `count`.

    Returns:
        [count, channels, height, width], in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model has no generator, no such class or code, takes no text, has
            no styles to truncate, or `count` or `batch_size` is below 1.
    """
    drawn = []
    done = 0
    for images, _ in model.batches(
        count,
        seed=seed,
        labels=labels,
        codes=codes,
        text=text,
        prompt=prompt,
        truncation=truncation,
        cutoff=cutoff,
        noise=noise,
        batch_size=batch_size,
        progress=progress,
    ):
        drawn.append(images)
        done += len(images)
        if progress:
            progress(done, count)
    return torch.cat(drawn)


def batches(
    model: "Model",
    count: int,
    *,
    seed: int | Sequence[int] = 0,
    labels: Labels = None,
    codes: Mapping[str, float] = MappingProxyType({}),
    text: Text = None,
    prompt: Prompt = Prompt(),  # noqa: B008 immutable
    truncation: float = 1.0,
    cutoff: int | None = None,
    noise: NoiseMode = "drawn",
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Draw what `sample` draws, a batch at a time, with the labels that were asked for.

    Yields:
        images [N, channels, height, width] in [-1, 1] and labels [N], int64, both on the CPU;
        None where the model takes no classes.

    Raises:
        UnsupportedError: as `sample`.
    """
    generator = need(model, Generator, "sample")
    check_positive(count=count, batch_size=batch_size)
    asked = asked_labels(model, generator, labels, count)
    rendering = model.rendering(truncation, cutoff, noise)
    if not isinstance(seed, int) and len(seed) != count:
        raise UnsupportedError(f"{len(seed)} seeds were given for {count} images; give each one")
    prompt = prompt if text is None else replace(prompt, text=text)
    latents_of = drawing_of(model, generator, prompt, count, progress)
    for start in range(0, count, batch_size):
        numbers = range(start, min(start + batch_size, count))
        if isinstance(seed, int):
            draws = ImageNoise(seed, numbers, model.device)
        else:
            draws = ImageNoise.of_seeds(seed[start : numbers.stop], model.device)
        latents = latents_of(numbers, draws)
        for name, value in codes.items():
            latents = with_code(model, latents, name, torch.full((len(latents),), value))
        its = None if asked is None else asked[start : numbers.stop]
        yield generated(model, generator, latents, draws, its, rendering), its


def decode(
    model: "Model", latents: Tensor, *, labels: Labels = None, seed: int = 0, batch_size: int = 64
) -> Tensor:
    """Make images of latents [N, *latent_shape], on the CPU; `labels` as for `sample`."""
    generator = need(model, Generator, "decode")
    check_shape(model, "decodes latents", latents, generator.latent_shape)
    codes = generator.discrete
    if codes and (latents.is_floating_point() or _outside(latents, codes)):
        raise UnsupportedError(
            f"{model.variant} decodes whole numbers from 0 to {codes - 1}; give what encode returns"
        )
    asked = asked_labels(model, generator, labels, len(latents))
    decoded = []
    for start in range(0, len(latents), batch_size):
        chunk = latents[start : start + batch_size].to(model.device)
        noise = ImageNoise(seed, range(start, start + len(chunk)), model.device)
        its = None if asked is None else asked[start : start + batch_size]
        decoded.append(generated(model, generator, chunk, noise, its))
    return torch.cat(decoded)


def check_label(model: "Model", label: Label | None) -> None:
    """Check that images can be asked for of a class.

    Raises:
        UnsupportedError: the model takes no classes, or knows no such one.
    """
    asked_labels(model, need(model, Generator, "sample"), label, 1)


def _outside(codes: Tensor, count: int) -> bool:
    return bool(((codes < 0) | (codes >= count)).any())
