"""What networks that know captions promise: priors that draw codes of them, and rerankers.

A caption reaches a network as tokens: int64 [text_length], 0 where it has ended. A caption of zeros
is the empty one, for images of anything. What text became which token, the model's tokenizer knows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ganzoo_core.components.noise import Noise
from ganzoo_core.errors import ConfigError


@dataclass(frozen=True)
class Drawing:
    """How a prior draws one value after another; a ConfigError says what cannot be.

    First the likelier values are kept (`top_k`, then `top_p`), after the logits were divided by
    `temperature`; then one of them is drawn.
    """

    temperature: float = 1.0
    """Below 1 likelier values become likelier still; 0 takes the likeliest each time."""
    top_k: int = 0
    """So many of the likeliest values are kept; 0 keeps all."""
    top_p: float = 1.0
    """The likeliest values are kept that together have at least this probability."""
    guidance: float = 1.0
    """How far to go from the logits without the caption to those with it, and beyond: 1 is what
    was learned, 3 follows captions more closely and draws less variously (Ho and Salimans 2022)."""
    cache: bool = True
    """Whether what was computed for earlier values is kept; it changes speed alone."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("temperature", 0, 1e6),
            ("top_k", 0, 1e9),
            ("top_p", 0, 1),
            ("guidance", 0, 1e6),
        ):
            value = getattr(self, name)
            if not least <= value <= most or (name == "top_p" and not value):
                bounds = {"top_p": "above 0 and at most 1"}.get(name, "0 or more, and finite")
                raise ConfigError(f"{name} must be {bounds}, not {value}")


class Prior(nn.Module):
    """A network that draws the latents that a decoder decodes, of captions where it takes them.

    A model that keeps one samples from it and not from the decoder's own prior.
    """

    latent_shape: tuple[int, ...]
    """Shape of one latent: that of the decoder."""
    image_shape: tuple[int, int, int]
    """Channels, height and width of the images that the decoder makes."""
    vocabulary: int = 0
    """How many tokens it knows; 0 where it takes no captions."""
    text_length: int = 0
    """Tokens of a caption."""

    def draw(
        self,
        count: int,
        noise: Noise,
        captions: Tensor | None = None,
        *,
        drawing: Drawing = Drawing(),
        kept: Tensor | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Draw latents.

        Args:
            count: how many.
            noise: to draw from; each latent depends on its own rows alone.
            captions: [count, text_length] int64; by default all are empty.
            drawing: how.
            kept: the first rows of each latent, which stay as they are: [count, rows, …].
            progress: called with how much of each latent is drawn, and how much there is.

        Returns:
            [count, *latent_shape]
        """
        raise TypeError(f"{type(self).__name__} does not implement draw")

    def forward(self, latents: Tensor, captions: Tensor | None = None) -> Tensor:
        """Return log p(latent | caption) in nats.

        Args:
            latents: [N, *latent_shape]
            captions: [N, text_length] int64; by default all are empty.

        Returns:
            [N]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")


class Reranker(nn.Module):
    """A network that says how well images show what captions say."""

    image_shape: tuple[int, int, int]
    """Channels, height and width of the images that it takes."""
    vocabulary: int = 0
    """How many tokens it knows; 0 where it reads the words themselves."""
    text_length: int = 0
    """Tokens of a caption."""

    def forward(self, images: Tensor, captions: Tensor | Sequence[str]) -> Tensor:
        """Score images, each against its own caption.

        Args:
            images: [N, channels, height, width] in [-1, 1]
            captions: [N, text_length] int64; N texts where `vocabulary` is 0.

        Returns:
            [N], the better the higher; scores of one reranker are comparable.
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")
