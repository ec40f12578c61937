"""The networks of DALLE-pytorch, so that weights which were published with it can be used.

Its autoencoder has strided convolutions and a codebook. Its transformer differs from the paper's:
positions turn queries, keys and values; each place holds a part of those before it; what a layer
adds is scaled; hidden units are gated; and row, column and convolutional attention end at the
image's border.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_plugin_dalle.config import RotaryConfig, StridedConfig
from ganzoo_plugin_dalle.dvae import CodeDecoder, CodeEncoder
from ganzoo_plugin_dalle.transformer import Cache, CodePrior, Memory


class StridedEncoder(CodeEncoder):
    """Strided convolutions, residual blocks, and logits of the codes."""

    def __init__(self, config: StridedConfig) -> None:
        super().__init__(config)
        self.mean, self.deviation = config.mean, config.deviation
        layers: list[nn.Module] = []
        channels = config.channels
        for _ in range(config.groups - 1):
            layers += [nn.Conv2d(channels, config.width, 4, stride=2, padding=1), nn.ReLU()]
            channels = config.width
        layers += [ResidualBlock(channels) for _ in range(config.blocks)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, config.codes, 1))

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits [N, K, h, w] of images [N, C, H, W] in [-1, 1]."""
        logits: Tensor = self.layers(((images + 1) / 2 - self.mean) / self.deviation)
        return logits


class StridedDecoder(CodeDecoder):
    """A codebook, residual blocks, and transposed convolutions."""

    def __init__(self, config: StridedConfig) -> None:
        super().__init__(config, config.likelihood)
        self.mean, self.deviation = config.mean, config.deviation
        self.codebook = nn.Embedding(config.codes, config.code_size)
        layers: list[nn.Module] = []
        channels = config.code_size
        if config.blocks:
            layers.append(nn.Conv2d(channels, config.width, 1))
            channels = config.width
        layers += [ResidualBlock(channels) for _ in range(config.blocks)]
        for _ in range(config.groups - 1):
            layers += [
                nn.ConvTranspose2d(channels, config.width, 4, stride=2, padding=1),
                nn.ReLU(),
            ]
            channels = config.width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, config.channels, 1))

    def statistics(self, shares: Tensor) -> Tensor:
        """Return images [N, C, H, W], as far in [-1, 1] as was learned, of shares of each code."""
        entries = torch.einsum("nkhw,kd->ndhw", shares, self.codebook.weight)
        pixels: Tensor = self.layers(entries) * self.deviation + self.mean
        return pixels * 2 - 1


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions and one 1 × 1, added to what they were given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features [N, channels, H, W] of such features."""
        result: Tensor = self.layers(features) + features
        return result


class RotaryTransformer(CodePrior):
    """p(y, z) as in DALLE-pytorch, where the start is the text token 0."""

    def __init__(self, config: RotaryConfig) -> None:
        super().__init__(config)
        self.kernel, self.centred = config.kernel, config.centred
        self.shift_tokens, self.stable = config.shift_tokens, config.stable
        self.reversible = config.reversible
        width, places = config.width, config.text_length + config.side**2
        # The last tokens of the vocabulary are the paddings, one for each place of a caption.
        self.text_tokens = nn.Embedding(config.vocabulary + config.text_length, width)
        self.image_tokens = nn.Embedding(config.codes, width)
        self.rotary = config.rotary
        if config.rotary:
            angles = torch.zeros(places + 1, config.rotary_size)
            self.angles: Tensor
            self.register_buffer("angles", angles)
        else:
            self.text_positions = nn.Embedding(config.text_length + 1, width)
            self.rows = nn.Embedding(config.side, width)
            self.columns = nn.Embedding(config.side, width)
        turns = config.attention
        self.kinds = tuple(turns[number % len(turns)] for number in range(config.layers))
        self.layers = nn.ModuleList(RotaryBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.to_logits = nn.Linear(width, config.vocabulary + config.text_length + config.codes)

    def forward(self, latents: Tensor, captions: Tensor | None = None) -> Tensor:
        """Return ln p(z|y) of codes [N, h, w] under captions [N, text_length]: [N], in nats."""
        codes = latents.flatten(1)
        logits = self.logits(self.captions(captions, latents), codes[:, :-1])
        image = logits[:, self.text_length :, -self.codes :].float().log_softmax(2)
        return image.gather(2, codes[:, :, None]).squeeze(2).sum(1)

    def logits(self, captions: Tensor, known: Tensor, cache: Cache | None = None) -> Tensor:
        """Return the logits of the next text or image token, at each place that is new to a cache.

        Args:
            captions: [N, text_length]
            known: the first codes, [N, M].
            cache: of places that need not be computed again.

        Returns:
            [N, places, vocabulary + text_length + K]
        """
        start = cache.length if cache else 0
        hidden = self.embedded(captions, known)[:, start:]
        end = start + hidden.shape[1]
        turned = self.angles[start:end] if self.rotary else None
        sources = _sources(self.text_length, self.side, start, end) if self.shift_tokens else None
        # The stream that units add to is attention's own, unless the transformer is reversible.
        other = hidden
        for number, (layer, kind) in enumerate(zip(self.layers, self.kinds, strict=True)):
            mask = bounded_mask(
                kind, self.text_length, self.side, self.kernel, self.centred, str(hidden.device)
            )[start:end, :end]
            memories = [cache.at(f"{number} {what}") if cache else kept_nothing for what in "kaf"]
            assert isinstance(layer, RotaryBlock)
            hidden = hidden + layer.attended(other, mask, turned, sources, memories)
            if self.reversible:
                other = other + layer.transformed(hidden, sources, memories)
            else:
                hidden = other = hidden + layer.transformed(hidden, sources, memories)
        if self.reversible:
            hidden = (hidden + other) / 2
        if cache:
            cache.length = end
        if self.stable:
            hidden = hidden / hidden.amax(2, keepdim=True)
        logits: Tensor = self.to_logits(self.norm(hidden))
        return logits

    def embedded(self, captions: Tensor, known: Tensor) -> Tensor:
        """Return the input of captions [N, text_length] and codes [N, M]: [N, 1 + …, width]."""
        places = torch.arange(self.text_length, device=captions.device)
        text = torch.where(captions == 0, self.vocabulary + places, captions)
        text = self.text_tokens(functional.pad(text, (1, 0)))
        image = self.image_tokens(known)
        if not self.rotary:
            grid = torch.arange(known.shape[1], device=known.device)
            image = image + self.rows(grid // self.side) + self.columns(grid % self.side)
            text = text + self.text_positions.weight
        return torch.cat([text, image], 1)

    def next_logits(self, captions: Tensor, known: Tensor, cache: Cache | None) -> Tensor:
        """Return the logits of the code after `known`; see `CodePrior`."""
        return self.logits(captions, known, cache)[:, -1, -self.codes :]


class RotaryBlock(nn.Module):
    """Attention and gated units, each of normalised and shifted input, and scaled."""

    def __init__(self, config: RotaryConfig) -> None:
        super().__init__()
        width, inner = config.width, config.heads * config.head_size
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, width)
        self.attention_norm_out = nn.LayerNorm(width) if config.sandwich else nn.Identity()
        self.attention_scale = nn.Parameter(torch.full((width,), 0.1))
        self.mlp_norm = nn.LayerNorm(width)
        self.to_hidden = nn.Linear(width, 8 * width)
        self.from_hidden = nn.Linear(4 * width, width)
        self.mlp_norm_out = nn.LayerNorm(width) if config.sandwich else nn.Identity()
        self.mlp_scale = nn.Parameter(torch.full((width,), 0.1))

    def attended(
        self,
        hidden: Tensor,
        mask: Tensor,
        angles: Tensor | None,
        sources: Tensor | None,
        memories: list[Memory],
    ) -> Tensor:
        """Return what attention adds to [N, M, width].

        Args:
            hidden: what the layer below made of new places.
            mask: which of these see which places: [M, all places].
            angles: by which each new place is turned: [M, size].
            sources: the places above and before each new place; see `_sources`.
            memories: of keys and values, and of what both halves were given.
        """
        keys_and_values, of_attention, _ = memories
        given = _shifted(self.attention_norm(hidden), sources, of_attention)
        q, k, v = self.to_qkv(given).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if angles is not None:
            q, k, v = (_turned(each, angles) for each in (q, k, v))
        k, v = keys_and_values(k, v)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        added: Tensor = self.attention_norm_out(self.to_out(seen.transpose(1, 2).flatten(2)))
        return added * self.attention_scale

    def transformed(self, hidden: Tensor, sources: Tensor | None, memories: list[Memory]) -> Tensor:
        """Return what gated units add to [N, M, width]."""
        given = _shifted(self.mlp_norm(hidden), sources, memories[2])
        units, gates = self.to_hidden(given).chunk(2, dim=2)
        added: Tensor = self.mlp_norm_out(self.from_hidden(units * functional.gelu(gates)))
        return added * self.mlp_scale


def kept_nothing(*new: Tensor) -> tuple[Tensor, ...]:
    """Remember nothing: all places are new."""
    return new


@lru_cache(maxsize=64)
def bounded_mask(
    kind: str,
    text_length: int,
    side: int,
    kernel: int = 1,
    centred: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Return which place looks at which, as DALLE-pytorch has it: [S, S], bool.

    As `transformer.attention_mask`, but rows and columns are whole ones, and a neighbourhood
    reaches from its place up and left, or half as far to all sides, each as far as the image goes.
    """
    before = 1 + text_length
    places = torch.arange(before + side**2, device=device)
    rows, columns = (places - before) // side, (places - before) % side
    down, right = (each[:, None] - each[None, :] for each in (rows, columns))
    allowed = {
        "full": torch.ones_like(down, dtype=torch.bool),
        "row": down == 0,
        "column": right == 0,
        "convolution": (down.abs() <= kernel // 2) & (right.abs() <= kernel // 2)
        if centred
        else (down < kernel) & (right >= 0) & (right < kernel),
    }[kind]
    is_code = places >= before
    earlier = places[:, None] >= places[None, :]
    return earlier & (allowed | ~(is_code[:, None] & is_code[None, :]))


def _sources(text_length: int, side: int, start: int, end: int) -> Tensor:
    """Return the places above and before places from `start` to `end`, -1 where there are none.

    What is above a caption's token is the token before it.

    Returns:
        [2, end - start], int64
    """
    before = 1 + text_length
    places = torch.arange(start, end)
    grid = places - before
    above = torch.where(grid >= side, places - side, -1)
    left = torch.where(grid % side > 0, places - 1, -1)
    is_text = grid < 0
    return torch.stack([torch.where(is_text, places - 1, each) for each in (above, left)])


def _shifted(given: Tensor, sources: Tensor | None, memory: Memory) -> Tensor:
    """Return [N, M, width] with a quarter of it from above and a quarter from before each place."""
    if sources is None:
        return given
    (seen,) = memory(given)
    quarter = given.shape[2] // 4
    # One more place, of zeros, stands for those that are not there.
    padded = functional.pad(seen, (0, 0, 1, 0))
    above, left = (sources.to(given.device) + 1).unbind(0)
    parts = padded[:, above, :quarter], padded[:, left, quarter : 2 * quarter]
    return torch.cat([*parts, given[:, :, 2 * quarter :]], 2)


def _turned(values: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of the first numbers of values [N, heads, M, size] by angles [M, turned]."""
    turned, rest = values.split([angles.shape[1], values.shape[3] - angles.shape[1]], dim=3)
    first, second = turned.unflatten(3, (-1, 2)).unbind(4)
    across = torch.stack([-second, first], 4).flatten(3)
    return torch.cat([turned * angles.cos() + across * angles.sin(), rest], 3)
