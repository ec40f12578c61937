"""Models of captions: drawing what a text says, judging how well images show it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.components import Encoder, Generator, ImageNoise, Prior, Reranker, drawing_from
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.prompting import (
    Prompt,
    Ranked,
    drawn_latents,
    kept_codes,
    refuse,
    texts_of,
    tokens_of,
)
from ganzoo_core.verbs.parts import Progress, at_rest, check_positive, find, need

if TYPE_CHECKING:
    from ganzoo_core.model import Model


def score(
    model: "Model",
    images: Tensor,
    text: str | Sequence[str],
    *,
    reranker: "Reranker | Model | None" = None,
    batch_size: int = 64,
) -> Tensor:
    """Return how well images show what they are to show.

    Args:
        images: [N, C, H, W] in [-1, 1]
        text: one caption for all, or one for each.
        reranker: the network that judges, or the model that has it; by default the model's own.
        batch_size: images at a time.

    Returns:
        [N], the better the higher, on the CPU

    Raises:
        UnsupportedError: there is no reranker, it takes no such images, or there are not as
            many captions.
    """
    if reranker is not None and not isinstance(reranker, Reranker):
        # Another model reads captions by a tokenizer of its own.
        return reranker.score(images, text, batch_size=batch_size)
    judge = reranker or need(model, Reranker, "score")
    if tuple(images.shape[1:]) != tuple(judge.image_shape) and judge.vocabulary:
        raise UnsupportedError(
            f"the reranker of {model.variant} judges images of shape "
            f"{('N', *judge.image_shape)}, not {tuple(images.shape)}"
        )
    texts = texts_of(text, len(images))
    assert texts is not None
    tokens = None
    if judge.vocabulary:
        tokens = tokens_of(texts, len(texts), judge, model.tokenizer, model.variant)
    device = model.device
    scores = []
    for start in range(0, len(images), batch_size):
        its = slice(start, start + batch_size)
        captions = texts[its] if tokens is None else tokens[its].to(device)
        with at_rest(judge):
            scores.append(judge(images[its].to(device), captions).float().cpu())
    return torch.cat(scores)


def ranked(
    model: "Model",
    count: int,
    text: str,
    *,
    candidates: int = 64,
    seed: int = 0,
    prompt: Prompt = Prompt(),  # noqa: B008 immutable
    reranker: "Reranker | Model | None" = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Ranked:
    """Draw many images of a caption and keep those that show it best.

    Args:
        count: how many to keep.
        text: the caption.
        candidates: how many to draw, at least `count`: those that `sample` draws.
        seed: of the series.
        prompt: all that can be asked for beside the text.
        reranker: the network that judges, or the model that has it; by default the model's own.
        batch_size: images at a time.
        progress: called with the number of images done and `candidates`.

    Raises:
        UnsupportedError: as `sample` and `score`, or fewer candidates than are to be kept.
    """
    check_positive(count=count)
    if candidates < count:
        raise UnsupportedError(
            f"{count} images cannot be kept of {candidates}; rerank at least {count}"
        )
    if reranker is None:
        need(model, Reranker, "rerank")
    images = model.sample(
        candidates,
        seed=seed,
        text=text,
        prompt=prompt,
        batch_size=batch_size,
        progress=progress,
    )
    scores = model.score(images, text, reranker=reranker, batch_size=batch_size)
    numbers = scores.argsort(descending=True, stable=True)[:count]
    return Ranked(images[numbers], scores[numbers], numbers)


def drawing_of(
    model: "Model", generator: Generator, prompt: Prompt, count: int, progress: Progress | None
) -> Callable[[range, ImageNoise], Tensor]:
    """Return what draws the latents of images by their numbers: a learned prior, or its own."""
    prior = find(model, Prior)
    refuse(prompt, prior, generator, model.variant)
    if prior is None:
        return lambda numbers, noise: generator.latents(len(numbers), noise)
    captions = tokens_of(prompt.text, count, prior, model.tokenizer, model.variant)
    rows = kept_codes(prompt, count, find(model, Encoder), prior, model.variant)

    def drawn(numbers: range, noise: ImageNoise) -> Tensor:
        def partly(done: int, total: int) -> None:
            if progress and done < total:
                progress(numbers.start + len(numbers) * done // total, count)

        its = slice(numbers.start, numbers.stop)
        with at_rest(prior), drawing_from(noise, prior):
            return drawn_latents(
                prior,
                len(numbers),
                noise,
                None if captions is None else captions[its],
                None if rows is None else rows[its],
                prompt.drawing,
                partly,
            )

    return drawn
