"""Rerankers: a small CLIP (Radford et al. 2021) that learns from the same captions, or a published
one."""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import Reranker
from ganzoo_core.errors import ConfigError, HubError, UnsupportedError
from ganzoo_plugin_dalle.config import CLIPConfig, HubCLIPConfig
from ganzoo_plugin_dalle.transformer import Block, initialise

HOTTEST = 100.0
"""The most by which similarities are multiplied, as in CLIP."""


class CLIP(Reranker):
    """Two transformers that bring an image and its caption to nearby directions."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.vocabulary, self.text_length = config.vocabulary, config.text_length
        width, places = config.width, (config.image_size // config.patch) ** 2
        self.patches = nn.Conv2d(config.channels, width, config.patch, stride=config.patch)
        self.places = nn.Embedding(places, width)
        self.image_layers = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.image_norm = nn.LayerNorm(width)
        self.to_image = nn.Linear(width, config.embedding, bias=False)
        self.tokens = nn.Embedding(config.vocabulary, width)
        self.positions = nn.Embedding(config.text_length, width)
        self.text_layers = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.text_norm = nn.LayerNorm(width)
        self.to_text = nn.Linear(width, config.embedding, bias=False)
        initialise(self, config.layers)
        self.log_scale = nn.Parameter(torch.full((), math.log(1 / 0.07)))

    def forward(self, images: Tensor, captions: Tensor | Sequence[str]) -> Tensor:
        """Return the cosine between images and their captions: [N], from -1 to 1."""
        assert isinstance(captions, Tensor)
        return (self.of_images(images) * self.of_captions(captions)).sum(1)

    def of_images(self, images: Tensor) -> Tensor:
        """Return directions of images [N, C, H, W] in [-1, 1]: [N, embedding], of length 1."""
        hidden = self.patches(images).flatten(2).transpose(1, 2) + self.places.weight
        for layer in self.image_layers:
            hidden = layer(hidden)
        means = self.image_norm(hidden).mean(1)
        return functional.normalize(self.to_image(means).float(), dim=1)

    def of_captions(self, captions: Tensor) -> Tensor:
        """Return directions of captions [N, text_length]: [N, embedding], of length 1."""
        there = captions != 0
        hidden = self.tokens(captions) + self.positions.weight
        # The first place is seen even of an empty caption: attention to nothing is no number.
        seen = there.clone()
        seen[:, 0] = True
        for layer in self.text_layers:
            hidden = layer(hidden, seen[:, None, None, :])
        weights = seen[:, :, None].to(hidden.dtype)
        means = (self.text_norm(hidden) * weights).sum(1) / weights.sum(1)
        return functional.normalize(self.to_text(means).float(), dim=1)

    def similarities(self, images: Tensor, captions: Tensor) -> Tensor:
        """Return what each image says of each caption: logits [N, N]."""
        scale = self.log_scale.exp().clamp(max=HOTTEST)
        return scale * self.of_images(images) @ self.of_captions(captions).T


def contrastive_loss(similarities: Tensor, captions: Tensor) -> Tensor:
    """Return the symmetric cross-entropy of images and captions, in nats.

    Images with the very same caption do not count as wrong for each other.

    Args:
        similarities: logits [N, N], images down and captions along.
        captions: tokens [N, text_length]
    """
    same = (captions[:, None] == captions[None]).all(2).to(similarities.dtype)
    targets = same / same.sum(1, keepdim=True)
    by_image = functional.cross_entropy(similarities, targets)
    return (by_image + functional.cross_entropy(similarities.T, targets)) / 2


class HubCLIP(Reranker):
    """A published CLIP, which reads words and takes images of any size.

    It is fetched when it is first asked.
    """

    def __init__(self, config: HubCLIPConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.name = config.name
        self._published: Published | None = None

    def forward(self, images: Tensor, captions: Tensor | Sequence[str]) -> Tensor:
        """Return the cosine between images [N, C, H, W] in [-1, 1] and N texts: [N]."""
        if isinstance(captions, Tensor):
            raise UnsupportedError(f"the reranker {self.name} reads words, not tokens")
        if self._published is None:
            self._published = published(self.name)
        return self._published(images, list(captions))


Published = Callable[[Tensor, list[str]], Tensor]
"""What compares images [N, C, H, W] in [-1, 1] and N texts: [N]."""


def published(name: str) -> Published:
    """Return what a published CLIP says of images and texts.

    Raises:
        ConfigError: the library that reads it is not installed.
        HubError: it cannot be had.
        UnsupportedError: it is no CLIP.
    """
    if name.startswith("timm/"):
        return _of_open_clip(name)
    try:
        library: Any = import_module("transformers")
    except ImportError:
        raise ConfigError(
            "a CLIP of the Hub needs the library transformers; install it with: "
            "pip install ganzoo-plugin-dalle[clip]"
        ) from None
    try:
        # Neither code from the Hub nor pickles.
        network = library.AutoModel.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False
        )
        processor = library.AutoProcessor.from_pretrained(name, trust_remote_code=False)
        pixels = processor.image_processor
    except Exception as error:  # whatever a repository that is no CLIP makes `transformers` raise
        reason = " ".join(str(error).split())[:200]
        raise HubError(f"{name} cannot be had as a CLIP ({reason}); check its name") from None
    if not hasattr(network, "get_text_features"):
        raise UnsupportedError(f"{name} is a {type(network).__name__}, which compares no captions")
    size = pixels.crop_size if getattr(pixels, "do_center_crop", False) else pixels.size
    side = int(size.get("height") or size.get("shortest_edge") or 224)

    network.eval()

    def compared(images: Tensor, texts: list[str]) -> Tensor:
        its = network.to(images.device)
        seen = _prepared(images, side, pixels.image_mean, pixels.image_std)
        tokens = processor.tokenizer(
            texts, padding="max_length", truncation=True, return_tensors="pt"
        )
        return _cosines(
            _features(its.get_image_features(pixel_values=seen)),
            _features(its.get_text_features(**tokens.to(images.device))),
        )

    return compared


def _of_open_clip(name: str) -> Published:
    try:
        import open_clip
    except ImportError:
        raise ConfigError(
            f"{name} needs the library open_clip; install it with: "
            "pip install ganzoo-plugin-dalle[clip]"
        ) from None
    try:
        network, transform = open_clip.create_model_from_pretrained(f"hf-hub:{name}")
        tokenize = open_clip.get_tokenizer(f"hf-hub:{name}")
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise HubError(f"{name} cannot be had as a CLIP ({reason}); check its name") from None
    normalize = transform.transforms[-1]
    side = network.visual.image_size
    side = side[0] if isinstance(side, tuple) else side

    network.eval()

    def compared(images: Tensor, texts: list[str]) -> Tensor:
        its = network.to(images.device)
        seen = _prepared(images, side, normalize.mean, normalize.std)
        tokens = tokenize(texts).to(images.device)
        return _cosines(its.encode_image(seen), its.encode_text(tokens))

    return compared


def _features(answer: Any) -> Tensor:
    features: Tensor = answer if isinstance(answer, Tensor) else answer.pooler_output
    return features


def _cosines(images: Tensor, texts: Tensor) -> Tensor:
    return functional.cosine_similarity(images.float(), texts.float(), dim=1)


def _prepared(
    images: Tensor, side: int, mean: Sequence[float], deviation: Sequence[float]
) -> Tensor:
    """Return images [N, C, H, W] in [-1, 1] as a published network takes them."""
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    pixels = functional.interpolate(
        (images + 1) / 2, (side, side), mode="bicubic", antialias=True
    ).clamp(0, 1)
    return (pixels - pixels.new_tensor(mean).view(1, 3, 1, 1)) / pixels.new_tensor(deviation).view(
        1, 3, 1, 1
    )
