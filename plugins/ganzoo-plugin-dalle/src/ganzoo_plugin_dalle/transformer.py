"""The transformer of section 2.2 and appendix B: captions, then codes, one token after another."""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ganzoo_core.components import Drawing, Noise, Prior
from ganzoo_plugin_dalle.config import TextConfig, TransformerConfig


class CodePrior(Prior):
    """p(z|y): codes z of a caption y, drawn in rows from the top left by subclasses' logits."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.side, config.side)
        self.vocabulary, self.text_length = config.vocabulary, config.text_length
        self.codes, self.side = config.codes, config.side

    def next_logits(self, captions: Tensor, known: Tensor, cache: "Cache | None") -> Tensor:
        """Return what the code after some is like.

        Args:
            captions: [N, text_length]
            known: the codes before it, [N, M].
            cache: what was computed for all but the last of them, or nothing yet.

        Returns:
            logits [N, K]
        """
        raise TypeError(f"{type(self).__name__} does not implement next_logits")

    def captions(self, captions: Tensor | None, like: Tensor) -> Tensor:
        """Return captions, empty ones where there are none."""
        if captions is None:
            return like.new_zeros(len(like), self.text_length, dtype=torch.int64)
        return captions

    def draw(
        self,
        count: int,
        noise: Noise,
        captions: Tensor | None = None,
        *,
        drawing: Drawing = Drawing(),  # noqa: B008 immutable
        kept: Tensor | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Draw codes [count, h, w], int64, one after another; see `Prior.draw`."""
        total = self.side**2
        uniform = noise.uniform(count, total).to(next(self.parameters()).device)
        rows = self.captions(captions, uniform)
        guided = drawing.guidance != 1 and captions is not None
        if guided:
            # With and without the caption, in one batch.
            rows = torch.cat([rows, torch.zeros_like(rows)])
        codes = uniform.new_zeros(count, total, dtype=torch.int64)
        done = 0
        if kept is not None:
            done = kept[0].numel()
            codes[:, :done] = kept.flatten(1)
        cache = Cache() if drawing.cache else None
        for place in range(done, total):
            known = codes[:, :place].repeat(2, 1) if guided else codes[:, :place]
            logits = self.next_logits(rows, known, cache).float()
            if guided:
                with_text, without = logits.chunk(2)
                logits = without + drawing.guidance * (with_text - without)
            codes[:, place] = chosen(logits, uniform[:, place], drawing)
            if progress:
                progress(place + 1, total)
        return codes.view(count, *self.latent_shape)


class Transformer(CodePrior):
    """p(y, z): a caption's tokens y and then an image's codes z, in rows from the top left.

    Its inputs are a start, the caption and all codes but the last; the output at each place is
    about the next token.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.kernel = config.kernel
        self.gradient_checkpointing = config.gradient_checkpointing
        width, length = config.width, config.text_length
        self.start = nn.Parameter(torch.empty(width))
        self.text_tokens = nn.Embedding(config.vocabulary, width)
        # A caption that is over has another token at each place (section 2.2).
        self.paddings = nn.Embedding(length, width)
        self.text_positions = nn.Embedding(length, width)
        self.image_tokens = nn.Embedding(config.codes, width)
        self.rows = nn.Embedding(config.side, width)
        self.columns = nn.Embedding(config.side, width)
        turns = config.attention
        self.kinds = (
            *(turns[number % len(turns)] for number in range(config.layers - 1)),
            config.last_attention,
        )
        self.layers = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.to_text = nn.Linear(width, config.vocabulary)
        self.to_codes = nn.Linear(width, config.codes)
        initialise(self, config.layers)

    def forward(self, latents: Tensor, captions: Tensor | None = None) -> Tensor:
        """Return ln p(z|y) of codes [N, h, w] under captions [N, text_length]: [N], in nats."""
        _, logits = self.logits(latents, self.captions(captions, latents))
        chosen = logits.float().log_softmax(2).gather(2, latents.flatten(1)[:, :, None])
        return chosen.squeeze(2).sum(1)

    def logits(self, latents: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each place says of its token, having seen those before it.

        Args:
            latents: [N, h, w]
            captions: [N, text_length]

        Returns:
            logits of the caption's tokens [N, text_length, vocabulary] and of the codes
            [N, h · w, K]
        """
        hidden = self.hidden(self.embedded(captions, latents.flatten(1)[:, :-1]))
        text, image = hidden.split([self.text_length, self.side**2], dim=1)
        return self.to_text(text), self.to_codes(image)

    def embedded(self, captions: Tensor, codes: Tensor) -> Tensor:
        """Return the input of captions [N, text_length] and the first codes [N, M].

        Returns:
            [N, 1 + text_length + M, width]
        """
        paddings = self.paddings.weight.expand(len(captions), -1, -1)
        text = torch.where((captions == 0)[:, :, None], paddings, self.text_tokens(captions))
        start = self.start.expand(len(captions), 1, -1)
        image = self.embedded_codes(codes, 0)
        return torch.cat([start, text + self.text_positions.weight, image], 1)

    def embedded_codes(self, codes: Tensor, first: int) -> Tensor:
        """Return the input of codes [N, M] that stand at places from `first` on: [N, M, width]."""
        places = torch.arange(first, first + codes.shape[1], device=codes.device)
        positions = self.rows(places // self.side) + self.columns(places % self.side)
        embedded: Tensor = self.image_tokens(codes) + positions
        return embedded

    def hidden(self, inputs: Tensor, cache: "Cache | None" = None) -> Tensor:
        """Return what the layers make of inputs [N, M, width], after those that a cache has seen.

        Returns:
            [N, M, width]
        """
        start = cache.length if cache else 0
        end = start + inputs.shape[1]
        hidden = inputs
        for number, (layer, kind) in enumerate(zip(self.layers, self.kinds, strict=True)):
            mask = attention_mask(
                kind, self.text_length, self.side, self.kernel, str(inputs.device)
            )[start:end, :end]
            remember = cache.at(number) if cache else None
            if self.gradient_checkpointing and torch.is_grad_enabled():
                # No layer draws random numbers, so no random state needs to be kept.
                hidden = checkpoint(
                    layer, hidden, mask, use_reentrant=False, preserve_rng_state=False
                )
            else:
                hidden = layer(hidden, mask, remember)
        if cache:
            cache.length = end
        normed: Tensor = self.norm(hidden)
        return normed

    def next_logits(self, captions: Tensor, known: Tensor, cache: "Cache | None") -> Tensor:
        """Return the logits of the code after `known`; see `CodePrior`."""
        if cache and cache.length:
            inputs = self.embedded_codes(known[:, -1:], known.shape[1] - 1)
        else:
            inputs = self.embedded(captions, known)
        logits: Tensor = self.to_codes(self.hidden(inputs, cache)[:, -1])
        return logits


class Block(nn.Module):
    """Attention and two rectified layers, each added to what it was given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, hidden: Tensor, mask: Tensor | None = None, remember: "Memory | None" = None
    ) -> Tensor:
        """Return [N, M, width] of [N, M, width].

        Args:
            hidden: what the layer below made.
            mask: which place sees which: [M, all places] or [N, 1, M, all places]; all see all
                without one.
            remember: keys and values of the places before these.
        """
        normed = self.attention_norm(hidden)
        q, k, v = self.to_qkv(normed).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if remember is not None:
            k, v = remember(k, v)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        hidden = hidden + self.to_out(seen.transpose(1, 2).flatten(2))
        result: Tensor = hidden + self.mlp(self.mlp_norm(hidden))
        return result


class Cache:
    """What layers have computed of all places so far, along dimension `-2`."""

    def __init__(self) -> None:
        self.length = 0
        """Places that all layers have seen."""
        self._kept: dict[int | str, tuple[Tensor, ...]] = {}

    def at(self, key: int | str) -> "Memory":
        """Return what adds a layer's tensors of new places [N, …, M, size] and gives back all."""

        def remember(*new: Tensor) -> tuple[Tensor, ...]:
            before = self._kept.get(key)
            if before is not None:
                new = tuple(torch.cat([old, its], -2) for old, its in zip(before, new, strict=True))
            self._kept[key] = new
            return new

        return remember


Memory = Callable[..., tuple[Tensor, ...]]
"""Takes tensors of new places, and returns those of all places."""


@lru_cache(maxsize=64)
def attention_mask(
    kind: str, text_length: int, side: int, kernel: int = 1, device: str = "cpu"
) -> Tensor:
    """Return which place looks at which (figure 11): [S, S], bool, S = text_length + side².

    Places are the start, the caption and all codes but the last. Each looks at itself and at what
    is before it; codes look at the start and the whole caption, and at codes by kind: `full` at all
    of them, `row` at the last side + 1, back to the one above; `column` at those above; and
    `convolution` at those within a square of side `kernel` about it, which goes on at the other end
    of the row above or below.
    """
    before = 1 + text_length
    length = text_length + side**2
    places = torch.arange(length, device=device)
    back = places[:, None] - places[None, :]
    allowed = {
        "full": torch.ones_like(back, dtype=torch.bool),
        "row": back <= side,
        "column": back % side == 0,
        "convolution": ((back + kernel // 2) // side <= kernel // 2)
        & ((back + kernel // 2) % side < kernel),
    }[kind]
    is_code = places >= before
    return (back >= 0) & (allowed | ~(is_code[:, None] & is_code[None, :]))


def chosen(logits: Tensor, uniform: Tensor, drawing: Drawing) -> Tensor:
    """Draw one value of each row.

    Args:
        logits: [N, K]
        uniform: [N], in [0, 1): where in the distribution's cumulative sum the value lies.
        drawing: temperature, and which values are kept.

    Returns:
        [N], int64
    """
    if not drawing.temperature:
        return logits.argmax(1)
    logits = logits.double() / drawing.temperature
    if 0 < drawing.top_k < logits.shape[1]:
        least = logits.topk(drawing.top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -math.inf)
    shares = logits.softmax(1)
    if drawing.top_p < 1:
        ordered, order = shares.sort(dim=1, descending=True, stable=True)
        # Dropped are those before which there is enough already; the first always stays.
        dropped = ordered.cumsum(1) - ordered >= drawing.top_p
        shares = shares.masked_fill(torch.zeros_like(dropped).scatter(1, order, dropped), 0)
    sums = shares.cumsum(1)
    wanted = uniform.double()[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, wanted, right=True).squeeze(1).clamp(max=logits.shape[1] - 1)


def initialise(network: nn.Module, layers: int) -> None:
    """Draw weights as GPT-2 did: N(0, 0.02²), smaller where a layer adds to what it was given."""
    for name, weight in network.named_parameters():
        if weight.dim() > 1 or name.endswith("start"):
            adds = name.endswith(("to_out.weight", "mlp.2.weight"))
            nn.init.normal_(weight, std=0.02 / math.sqrt(2 * layers) if adds else 0.02)
        elif "norm" not in name:
            nn.init.zeros_(weight)


def cross_entropies(
    text: Tensor, image: Tensor, captions: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy of the captions' tokens and of the codes, in nats.

    What comes after a caption's end counts for nothing.

    Args:
        text: logits [N, text_length, vocabulary]
        image: logits [N, h · w, K]
        captions: [N, text_length]
        codes: [N, h, w]
    """
    words = functional.cross_entropy(
        text.float().flatten(0, 1), captions.flatten(), ignore_index=0, reduction="sum"
    ) / (captions != 0).sum().clamp(min=1)
    return words, functional.cross_entropy(image.float().flatten(0, 1), codes.flatten())
