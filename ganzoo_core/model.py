"""A model: the networks that a variant keeps after training, and what can be done with them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ganzoo_core.components import (
    Encoder,
    Generator,
    LatentCode,
    MappedGenerator,
    Prior,
    Reranker,
)
from ganzoo_core.hub.origin import Origin
from ganzoo_core.verbs import captions, codes, domains, drawing, encoding, styles, videos, walks
from ganzoo_core.verbs.parts import Labels, Progress, find, kept
from ganzoo_core.verbs.walks import slerp
from ganzoo_core.video import Recomposer, predictor_among

if TYPE_CHECKING:
    from ganzoo_core.blueprint import Blueprint
    from ganzoo_core.text import Tokenizer

__all__ = ["Labels", "Model", "Progress", "slerp"]


class Model:
    """A variant's networks with the verbs that they are able to do.

    `networks` are ordinary `torch.nn.Module` objects by role; images are float tensors
    [N, channels, height, width] in [-1, 1].
    """

    def __init__(
        self,
        blueprint: "Blueprint",
        networks: Mapping[str, nn.Module],
        origin: Origin | None = None,
        tokenizer: "Tokenizer | None" = None,
        class_names: Sequence[str] = (),
    ) -> None:
        self.blueprint = blueprint
        self.networks = dict(networks)
        self.origin = origin or Origin("fresh")
        self.tokenizer = tokenizer
        """How captions become tokens; None where the model takes none."""
        self.class_names = tuple(class_names)
        """What the classes are called, by their numbers; empty where they have no names."""

    # Each verb is explained where it is written, in the room of ganzoo_core.verbs named here.

    sample = drawing.sample
    batches = drawing.batches
    decode = drawing.decode
    check_label = drawing.check_label

    traverse = codes.traverse
    interpolate = walks.interpolate

    encoder = encoding.encoder
    encode = encoding.encode
    classify = encoding.classify
    reconstruct = encoding.reconstruct

    rendering = styles.rendering
    mapped = styles.mapped
    map = styles.map
    synthesize = styles.synthesize
    mix = styles.mix
    project = styles.project

    ranked = captions.ranked
    score = captions.score

    translate = domains.translate
    translator = domains.translator

    swap = videos.swap
    predict = videos.predict
    check_predicts = videos.check_predicts
    interpolate_poses = videos.interpolate_poses
    recomposer = videos.recomposer

    @property
    def verbs(self) -> tuple[str, ...]:
        """What this model can do."""
        able = []
        generator = find(self, Generator)
        if generator:
            # Codes have no prior to speak of unless one was learned, and nothing lies between them.
            able += [] if generator.discrete else ["sample", "interpolate"]
            able += ["sample"] if find(self, Prior) and "sample" not in able else []
            able.append("decode")
        if find(self, MappedGenerator):
            able += ["map", "synthesize", "mix", "project"]
        encoder = find(self, Encoder)
        if encoder:
            able.append("encode")
        if {"decode", "encode"} <= set(able):
            able.append("reconstruct")
        if encoder and encoder.classes:
            able.append("classify")
        if find(self, Reranker):
            able.append("score")
        if self.directions:
            able.append("translate")
        if Recomposer.among(kept(self)):
            able += ["swap", "reconstruct", "interpolate"]
        if predictor_among(kept(self)):
            able.append("predict")
        return tuple(dict.fromkeys(able))

    @property
    def variant(self) -> str:
        """Short name of the variant."""
        return self.blueprint.entry.name

    @property
    def classes(self) -> int:
        """How many classes its generator can be asked for; 0 where it takes none."""
        generator = find(self, Generator)
        return generator.classes if generator else 0

    @property
    def codes(self) -> Mapping[str, LatentCode]:
        """The parts of the latent that can be set by name.

        They are those that the generator names, such as an InfoGAN's c1; where it names none, each
        number of a latent [latent_size] is one, from z0 on.
        """
        return codes.codes_of(self)

    @property
    def takes_text(self) -> bool:
        """Whether it can be asked for images of a caption."""
        prior = find(self, Prior)
        return bool(prior and prior.vocabulary)

    @property
    def directions(self) -> tuple[str, ...]:
        """Which ways it translates: `ab`, `ba` or both; empty where it translates nothing."""
        return tuple(domains.translators_of(self))

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(weight.device for net in self.networks.values() for weight in net.parameters())

    @property
    def parameters(self) -> int:
        """How many weights its networks have together."""
        return sum(w.numel() for net in self.networks.values() for w in net.parameters())

    def to(self, device: torch.device | str) -> "Model":
        """Move all networks to a device; returns the model itself."""
        for network in self.networks.values():
            network.to(device)
        return self

    def save(self, folder: Path | str) -> Path:
        """Write a model folder in the Hub's layout, which `ganzoo_core.load` reads again."""
        from ganzoo_core.hub.folder import write_model_folder

        return write_model_folder(self, Path(folder))
