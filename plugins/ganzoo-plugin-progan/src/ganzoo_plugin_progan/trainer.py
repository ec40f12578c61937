"""Progressive growing (section 2): a stage at each size, and one that fades in the next."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ganzoo_plugin_gan.trainer import AdversarialTrainer, Fakes
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganzoo_core.components import (
    Batch,
    DiscriminatorOutput,
    Losses,
    Parts,
    Phase,
    Progress,
    Stage,
    Step,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_progan.config import ProgressiveConfig
from ganzoo_plugin_progan.growing import Growing, seen_at


class ProgressiveTrainer(AdversarialTrainer):
    """The adversarial game at growing sizes, with any adversarial loss and any regularisers.

    Both networks must be `Growing`. Each stage begins with fresh optimisers, as the authors' code
    resets them whenever layers are added and whenever they have been faded in.
    """

    config: ProgressiveConfig

    def __init__(self, config: ProgressiveConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.growing: list[Growing] = []
        for role in ("generator", "discriminator"):
            network = parts.networks[role]
            if not isinstance(network, Growing):
                raise UnsupportedError(
                    f"the progressive trainer needs networks that grow, and the {role} does not; "
                    f"choose another --{role}, such as progan, or another --trainer"
                )
            self.growing.append(network)
        size = self.generator.image_shape[1]
        if config.start_size > size:
            raise ConfigError(
                f"trainer.start_size cannot be {config.start_size}: the images have {size} pixels"
            )
        if config.history:
            raise ConfigError(
                "trainer.history must stay 0 where images grow: older fakes are smaller ones"
            )
        self._sizes = [
            config.start_size << n for n in range((size // config.start_size).bit_length())
        ]
        self._lods = {_name(each): float((size // each).bit_length() - 1) for each in self._sizes}

    def stages(self) -> Sequence[Stage]:
        """Return a stage at the first size, and two for each doubling: fading in, and after."""
        stages: list[Stage] = []
        for size in self._sizes:
            faded = self._stage(size)
            if stages:
                stages.append(replace(faded, name=f"{faded.name} fading in"))
            stages.append(faded)
        return stages

    def lod(self, stage: str, progress: Progress) -> float:
        """Return the level of detail that the networks have in a stage."""
        name, _, fading = stage.partition(" ")
        return self._lods[name] + (1 - progress.fraction if fading else 0.0)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises, at the size that it has grown to."""
        lod = self.lod(step.stage, step.progress)
        for network in self.growing:
            network.grow_to(lod)
        if phase.name != "generator":
            batch = replace(batch, images=seen_at(batch.images, lod))
        return super().loss(phase, batch, step)

    def generator_terms(self, fake: DiscriminatorOutput, fakes: Fakes) -> Mapping[str, Tensor]:
        """Return the class's cross-entropy, where the discriminator names classes."""
        return self._class_terms(class_fake=(fake, fakes.labels))

    def discriminator_terms(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, batch: Batch, fakes: Fakes
    ) -> Mapping[str, Tensor]:
        """Return the class's cross-entropy, where the discriminator names classes."""
        return self._class_terms(class_real=(real, batch.labels), class_fake=(fake, fakes.labels))

    def _class_terms(
        self, **judged: tuple[DiscriminatorOutput, Tensor | None]
    ) -> Mapping[str, Tensor]:
        return {
            name: self.config.class_weight * cross_entropy(output.heads["class"], labels)
            for name, (output, labels) in judged.items()
            if "class" in output.heads and labels is not None
        }

    def _stage(self, size: int) -> Stage:
        config = self.config
        factor = config.learning_rates.get(size, 1.0)
        return Stage(
            _name(size),
            [_faster(phase, factor) for phase in self.phases()],
            share=config.durations.get(size, config.duration),
            batch_size=config.batch_sizes.get(size),
        )


def _name(size: int) -> str:
    return f"{size}x{size}"


def _faster(phase: Phase, factor: float) -> Phase:
    optimizer = phase.optimizer
    return replace(phase, optimizer=optimizer.model_copy(update={"lr": optimizer.lr * factor}))
