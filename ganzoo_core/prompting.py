"""Drawing images of captions: what was asked for, as tokens and kept codes, checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ganzoo_core.components import Drawing, Encoder, Generator, Prior, Reranker
from ganzoo_core.errors import UnsupportedError

if TYPE_CHECKING:
    from ganzoo_core.components import Noise
    from ganzoo_core.text import Tokenizer

Text = str | Sequence[str] | None
"""What images are to show: one caption for all, or one for each."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prompt:
    """What images are to be drawn of; as a whole it is optional, and so is each of its parts."""

    text: Text = None
    """One caption for all images, or one for each; without any, images of anything."""
    image: Tensor | None = None
    """[C, H, W] in [-1, 1], whose first rows all images keep, or one for each: [N, C, H, W]"""
    keep_rows: int = 0
    """How many rows of its pixels are kept."""
    drawing: Drawing = field(default_factory=Drawing)
    """How to draw."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for that only a model of captions can do."""
        return (
            self.text is None
            and self.image is None
            and not self.keep_rows
            and self.drawing == Drawing()
        )


class Ranked(NamedTuple):
    """Images in the order of their scores, the best first."""

    images: Tensor
    """[N, C, H, W] in [-1, 1]"""
    scores: Tensor
    """[N], the better the higher"""
    numbers: Tensor
    """[N], int64: which images of the series they are."""


def tokens_of(
    text: Text, count: int, network: Prior | Reranker, tokenizer: "Tokenizer | None", variant: str
) -> Tensor | None:
    """Return captions as the tokens that a network reads: [count, text_length], or None.

    Raises:
        UnsupportedError: the network reads none, the model lacks a tokenizer, or there are not as
            many captions as images.
    """
    texts = texts_of(text, count)
    if texts is None:
        return None
    if not network.vocabulary:
        raise UnsupportedError(f"{variant} takes no text: it was built without a vocabulary")
    if tokenizer is None:
        raise UnsupportedError(
            f"this model of {variant} has no tokenizer, so it cannot read text; put the one that "
            "it was trained with beside its weights, as tokenizer.json"
        )
    return tokenizer.encode(texts, network.text_length)


def texts_of(text: Text, count: int) -> list[str] | None:
    """Return a caption for each of `count` images."""
    if text is None:
        return None
    texts = [text] * count if isinstance(text, str) else list(text)
    if len(texts) != count:
        raise UnsupportedError(
            f"{len(texts)} captions were given for {count} images; give one for all, or one for "
            "each"
        )
    return texts


def kept_codes(
    prompt: Prompt, count: int, encoder: nn.Module | None, prior: Prior, variant: str
) -> Tensor | None:
    """Return the codes of the rows that images keep: [count, rows, …], or None.

    Raises:
        UnsupportedError: there is no such image, or not so many rows, or none that codes stand for.
    """
    if prompt.image is None and not prompt.keep_rows:
        return None
    if prompt.image is None or not prompt.keep_rows:
        raise UnsupportedError(
            "an image to go on from and the number of its rows to keep go together"
        )
    if not isinstance(encoder, Encoder):
        raise UnsupportedError(f"{variant} has no encoder, so it cannot go on from an image")
    images = prompt.image if prompt.image.dim() == 4 else prompt.image[None]
    height = prior.image_shape[1]
    if tuple(images.shape[1:]) != tuple(prior.image_shape) or len(images) not in (1, count):
        raise UnsupportedError(
            f"{variant} goes on from one image of shape {tuple(prior.image_shape)}, or from one "
            f"for each that is drawn, not from {tuple(prompt.image.shape)}"
        )
    rows, rest = divmod(prompt.keep_rows * prior.latent_shape[0], height)
    if rest or not 0 < rows < prior.latent_shape[0]:
        step = height // prior.latent_shape[0]
        raise UnsupportedError(
            f"{variant} keeps rows of {step} pixels, so {step} to {height - step} in steps of "
            f"{step}, not {prompt.keep_rows}"
        )
    weight = next(encoder.parameters())
    with torch.no_grad():
        code = encoder(images.to(weight.device))
    codes: Tensor = code.mean if code.indices is None else code.indices
    return codes[:, :rows].expand(count, *codes[:, :rows].shape[1:])


def drawn_latents(
    prior: Prior,
    count: int,
    noise: "Noise",
    captions: Tensor | None,
    kept: Tensor | None,
    drawing: Drawing,
    progress: Progress | None,
) -> Tensor:
    """Draw latents of a prior."""
    device = next(prior.parameters()).device
    with torch.no_grad():
        return prior.draw(
            count,
            noise,
            None if captions is None else captions.to(device),
            drawing=drawing,
            kept=None if kept is None else kept.to(device),
            progress=progress,
        )


def refuse(prompt: Prompt, prior: Prior | None, generator: Generator, variant: str) -> None:
    """Refuse what only models of captions can do.

    Raises:
        UnsupportedError: the model has no prior.
    """
    if prior is None and not prompt.is_empty:
        what = "text" if prompt.text is not None else "such prompt"
        classes = " but classes" if generator.classes else ""
        raise UnsupportedError(
            f"{variant} takes no {what}{classes}; draw from a model of captions, such as dalle"
        )
