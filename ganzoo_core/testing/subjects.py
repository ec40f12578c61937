"""What the checks look at: a component or a variant, small enough to be trained in seconds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo_core.blueprint import Blueprint, draw_up
from ganzoo_core.components import (
    Batch,
    ClipShape,
    Code,
    CodeDiscriminator,
    Composer,
    Config,
    Discriminator,
    DiscriminatorOutput,
    Encoder,
    Generator,
    JointNoise,
    Predictor,
    Prior,
    Reranker,
    Trainer,
    drawing_from,
    mixed_seed,
)
from ganzoo_core.model import Model
from ganzoo_core.plugins import Hooks, Installed, Kind, Plugin
from ganzoo_core.plugins.schema import VariantEntry
from ganzoo_core.testing.report import NotApplicableError
from ganzoo_core.text import text_shape
from ganzoo_core.training.engine import Engine


@dataclass(frozen=True)
class ComponentSubject:
    """A named component of a plugin."""

    installed: Installed
    hooks: Hooks
    kind: Kind
    name: str

    @property
    def title(self) -> str:
        """What reports call it, such as `generator/dcgan`."""
        return f"{self.kind}/{self.name}"

    def config(self) -> Config:
        """Return its tiny config in a variant that uses it, its defaults where none does."""
        for entry in self.hooks.manifest.variants:
            variant = VariantSubject(self.installed, self.hooks.plugin, entry)
            blueprint = variant.blueprint()
            parts = (*blueprint.networks.values(), *blueprint.regularizers.values())
            for part in (*parts, blueprint.loss, blueprint.trainer):
                if part and (part.kind, part.name, part.hooks) == (
                    self.kind,
                    self.name,
                    self.hooks,
                ):
                    return part.config
        return self.hooks.config(self.kind, self.name)()

    def build(self, device: str = "cpu") -> Any:
        """Build it as a blueprint does, the same weights each time."""
        if self.kind == "trainer":
            raise NotApplicableError("a trainer is built and checked with the variants that use it")
        config = self.config()
        with torch.random.fork_rng(devices=[]), torch.device(device):
            torch.default_generator.manual_seed(0)
            return self.hooks.build(self.kind, self.name, config)

    def network(self) -> nn.Module:
        """Build it, if it is a network."""
        if self.kind in ("loss", "regularizer", "trainer"):
            raise NotApplicableError(f"a {self.kind} is not a network")
        network: nn.Module = self.build()
        return network


@dataclass(frozen=True)
class VariantSubject:
    """A variant of a plugin, with the settings that its manifest calls tiny."""

    installed: Installed
    plugin: Plugin
    entry: VariantEntry

    @property
    def title(self) -> str:
        """What reports call it, such as `dcgan`."""
        return self.entry.name

    @property
    def full_name(self) -> str:
        """Name that no other plugin can claim."""
        return f"{self.plugin.distribution}/{self.entry.name}"

    def blueprint(self, **training: Any) -> Blueprint:
        """Decide its tiny settings, with other settings of the engine."""
        settings = {f"training.{name}": value for name, value in training.items()}
        return draw_up(self.installed, self.full_name, self.entry.tiny | settings)

    def model(self, *, steps: int = 2) -> Model:
        """Return a model trained for a few steps, so that no buffer is as it was built."""
        # Weights in another memory format would be multiplied in another order after loading.
        engine = engine_of(self.blueprint(steps=steps, channels_last=False))
        for _ in range(steps):
            engine.step()
        kept = engine.inference_networks(self.entry.recipe.inference)
        return Model(self.blueprint(channels_last=False), kept)

    def network(self, model: Model, contract: type[nn.Module]) -> nn.Module:
        """Return the model's first network of a kind."""
        for role in self.entry.recipe.inference:
            if isinstance(model.networks.get(role), contract):
                return model.networks[role]
        raise NotApplicableError(f"the variant keeps no {contract.__name__.lower()}")


class SmallBatches:
    """Batches out of a few smooth random images, the same for the same position."""

    count = 64

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        batch_size: int,
        classes: int,
        *,
        labelled: bool = False,
        text: tuple[int, int] | None = None,
        other: str = "",
    ) -> None:
        self.image_shape = image_shape
        self.text = text
        self.batch_size = batch_size
        self.classes = classes
        self.labelled = labelled
        self.other = other

    def draw(self, position: int, size: int | None = None, shape: ClipShape | None = None) -> Batch:
        """Return the batch that begins at image `position`, in tensors of its own."""
        size = size or self.batch_size
        if shape is not None:
            return self._clips(position, size, shape.frames)
        batch = self._batch(position, size)
        return replace(
            batch,
            labelled=self._batch(position + 1, size) if self.labelled else None,
            other=self._other(position + 2, size),
        )

    def _other(self, position: int, size: int) -> Batch | None:
        batch = self._batch(position, size) if self.other else None
        return replace(batch, labels=None) if batch and self.other == "unlabelled" else batch

    def _batch(self, position: int, size: int) -> Batch:
        chosen = torch.arange(position, position + size) % self.count
        images = random_images(self.count, self.image_shape)[chosen]
        captions = random_captions(self.count, *self.text)[chosen] if self.text else None
        labels = chosen % self.classes if self.classes else None
        return Batch(images, labels, captions=captions)

    def _clips(self, position: int, size: int, frames: int) -> Batch:
        """Return clips that go from one image to another."""
        first, last = (self._batch(position + away, size).images for away in (0, 2))
        shares = torch.linspace(0, 1, frames)
        clips = torch.stack([torch.lerp(first, last, share) for share in shares], 1)
        return Batch(clips[:, 0], clips=clips)


def engine_of(blueprint: Blueprint, *, networks_seed: int | None = None) -> Engine:
    """Return a fresh engine on small batches.

    Args:
        blueprint: what to train.
        networks_seed: seed of the initial weights, where it is not to be that of the training.
    """
    seeded = blueprint
    if networks_seed is not None:
        settings = blueprint.training.model_copy(update={"seed": networks_seed})
        seeded = replace(blueprint, training=settings)
    networks = seeded.build_networks()
    trainer = blueprint.build_trainer(networks)
    return Engine(
        trainer,
        batches_for(networks, blueprint.training.batch_size, trainer),
        blueprint.training,
        inference=blueprint.entry.recipe.inference,
    )


def batches_for(
    networks: Mapping[str, nn.Module], batch_size: int, trainer: Trainer
) -> SmallBatches:
    """Return batches of the images that the networks work on, with all that the trainer wants."""
    shapes = [
        network.image_shape
        for network in networks.values()
        if not isinstance(network, CodeDiscriminator | Predictor)
    ]
    classes = max(int(getattr(network, "classes", 0)) for network in networks.values())
    return SmallBatches(
        shapes[0],  # type: ignore[arg-type]
        batch_size,
        classes,
        labelled=bool(trainer.labelled),
        text=text_shape(networks),
        other=trainer.other,
    )


def random_images(count: int, image_shape: tuple[int, int, int], seed: int = 0) -> Tensor:
    """Return smooth random images, which even a small autoencoder can learn.

    Returns:
        [count, channels, height, width], in [-1, 1]
    """
    channels, height, width = image_shape
    generator = torch.Generator().manual_seed(mixed_seed(seed, 7))
    coarse = torch.rand(count, channels, 3, 3, generator=generator) * 2 - 1
    return nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def random_captions(count: int, vocabulary: int, length: int, seed: int = 0) -> Tensor:
    """Return captions of one to `length` random tokens: [count, length], int64."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, 8))
    tokens = torch.randint(1, vocabulary, (count, length), generator=generator)
    ends = torch.randint(1, length + 1, (count, 1), generator=generator)
    return tokens * (torch.arange(length) < ends)


def inputs_for(network: nn.Module, count: int, seed: int = 0) -> tuple[Any, ...]:
    """Return what the contract lets anyone give to a network: images or codes, labels, captions."""
    if isinstance(network, Encoder):
        return (random_images(count, network.image_shape, seed),)
    if isinstance(network, Composer):
        noise = noise_of(seed)
        maps = tuple(noise.normal(count, *shape) for shape in network.map_shapes)
        content = Code(noise.normal(count, *network.content_shape), maps=maps)
        return content, noise.normal(count, *network.pose_shape)
    if isinstance(network, Predictor):
        noise, beside = noise_of(seed), network.content_shape
        past = noise.normal(count, 3, *network.latent_shape).clamp(-1, 1)
        return past, 2, *((noise.normal(count, *beside),) if beside else ())
    labels: tuple[Tensor, ...] = ()
    if classes := int(getattr(network, "classes", 0)):
        labels = (torch.arange(count) % classes,)
    if isinstance(network, Generator):
        return network.latents(count, noise_of(seed)), *labels
    captions: tuple[Tensor, ...] = ()
    if isinstance(network, Prior | Reranker) and network.vocabulary:
        captions = (random_captions(count, network.vocabulary, network.text_length, seed),)
    if isinstance(network, Prior):
        with in_mode(network, training=False), torch.no_grad():
            return network.draw(count, noise_of(seed)), *captions
    if isinstance(network, Reranker):
        if not captions:
            raise NotApplicableError("it reads words, which are not made up here")
        return random_images(count, network.image_shape, seed), *captions
    if isinstance(network, CodeDiscriminator):
        return noise_of(seed).normal(count, *network.latent_shape), *labels
    assert isinstance(network, Discriminator)
    return random_images(count, network.image_shape, seed), *labels


def answer_of(network: nn.Module, inputs: tuple[Any, ...]) -> object:
    """Run a network, with noise of its own for the layers that draw any."""
    with drawing_from(noise_of(1), network):
        return network(*inputs)


def named_tensors(answer: object) -> dict[str, Tensor]:
    """Return the tensors of what a network of any kind answered."""
    if isinstance(answer, Tensor):
        return {"images": answer}
    found: dict[str, Tensor | None] = {}
    if isinstance(answer, DiscriminatorOutput):
        found = {
            "logits": answer.logits,
            "features": answer.features,
            "reconstruction": answer.reconstruction,
            **{f"heads[{name!r}]": head for name, head in answer.heads.items()},
        }
    elif isinstance(answer, Code):
        found = {
            "mean": answer.mean,
            "log_variance": answer.log_variance,
            "indices": answer.indices,
            "logits": answer.logits,
            **{f"maps[{number}]": each for number, each in enumerate(answer.maps)},
        }
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def noise_of(seed: int) -> JointNoise:
    """Return noise from an explicit generator on the CPU."""
    return JointNoise(torch.Generator().manual_seed(seed))


@contextmanager
def in_mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    """Run a network in train or eval mode, then put each layer's mode back."""
    before = [(layer, layer.training) for layer in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for layer, mode in before:
            layer.training = mode
