"""What a variant's trainer keeps: who learns, on what, at what cost, and where it left off."""

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from ganzoo_core.components import (
    Adam,
    Batch,
    Losses,
    Phase,
    Progress,
    Stage,
    Step,
    Trainer,
    drawing_from,
)
from ganzoo_core.testing.checks.watching import Waits
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.report import NotKeptError
from ganzoo_core.testing.subjects import VariantSubject, batches_for, engine_of, noise_of
from ganzoo_core.training.checkpoints import read_newest_checkpoint, write_checkpoint
from ganzoo_core.training.engine import Engine, batch_size_of, stage_ends

LONG = 1000
"""Steps of a training that gives every stage some."""
STEPS_A_STAGE = 4
DESCENT_STEPS = 30
FALL = 1e-3
"""Share of itself by which a loss must have fallen after that many steps on one batch."""
AGREEMENT = 0.02
"""Share by which the counted passes may differ from those declared."""


def phases_train_their_networks_only(variant: VariantSubject) -> None:
    """Each phase trains its networks, and gives exactly no gradient to any other."""
    for stage, engine in _at_every_stage(variant):
        with _watching_phases(engine, variant.title) as learned:
            engine.step()
            engine.step()
        for phase in stage.phases:
            idle = [role for role in phase.networks if (phase.name, role) not in learned]
            if idle:
                raise NotKeptError(
                    f"a phase must train all its networks, and the phase {phase.name!r} of "
                    f"{variant.title} gives the {idle[0]} no gradient"
                )


def passes_as_declared(variant: VariantSubject) -> None:
    """A step runs as many forward and backward passes as the trainer declares."""
    engine = engine_of(variant.blueprint())
    declared = dict(engine.trainer.passes())
    roles = engine.networks.keys()
    if declared.keys() != roles:
        raise NotKeptError(
            f"passes() must name every network of the recipe ({', '.join(roles)}), and that of "
            f"{variant.title} names {', '.join(declared) or 'none'}"
        )
    counted = count_passes(engine)
    for role, passes in counted.items():
        difference = passes - declared[role]
        if difference < 0 and _has_one_layer(engine.networks[role]):
            continue  # No layer above the first shows that the network was gone through backward.
        if abs(difference) > AGREEMENT * max(passes, declared[role]):
            raise NotKeptError(
                f"a step must cost what passes() declares, and one of {variant.title} costs the "
                f"{role} {passes:.4g} forward-equivalents where {declared[role]:.4g} are declared"
            )


def losses_never_wait(variant: VariantSubject) -> None:
    """Computing a loss never makes the program wait for the device."""
    for stage, engine in _at_every_stage(variant):
        engine.step()  # What is made once may take its time.
        with _watching_waits(engine, variant.title):
            for _ in range(math.lcm(*(phase.every for phase in stage.phases))):
                engine.step()


def loss_falls(variant: VariantSubject) -> None:
    """Each phase's loss falls when its networks alone learn from one batch with fixed noise."""
    blueprint = variant.blueprint()
    networks = blueprint.build_networks()
    trainer = blueprint.build_trainer(networks)
    learnable = {
        role: [weight for weight in network.parameters() if weight.requires_grad]
        for role, network in networks.items()
    }
    batches = batches_for(networks, blueprint.training.batch_size, trainer)
    for stage in trainer.stages():
        batch = batches.draw(0, batch_size_of(stage, blueprint.training), stage.clips)
        ends: dict[str, tuple[float, float]] = {}
        # A paper's own learning rate may be too small for its effect to be seen so soon, and a
        # fresh opponent may be too weak to learn from: then there is a second and a third round.
        for optimizer in (None, Adam(lr=1e-3), Adam(lr=1e-3)):
            for number, phase in enumerate(stage.phases):
                earlier = stage.phases[:number]
                losses = _descent(trainer, learnable, earlier, phase, optimizer, batch, stage.name)
                if not _fell(ends.get(phase.name)):
                    ends[phase.name] = losses[0], losses[-1]
            if all(map(_fell, ends.values())):
                break
        for name, (first, last) in ends.items():
            if not _fell((first, last)):
                raise NotKeptError(
                    f"a phase's loss must fall when it is trained on one batch, and that of "
                    f"{name!r} of {variant.title} goes from {first:.6g} to {last:.6g} in "
                    f"{DESCENT_STEPS} steps"
                )


def resume_equals_straight_run(variant: VariantSubject) -> None:
    """A run that is stopped, written and taken up again ends where the straight run ends."""
    stages = len(engine_of(variant.blueprint()).stages)
    steps = STEPS_A_STAGE * stages
    blueprint = variant.blueprint(steps=steps, ema=0.9)
    straight, before = engine_of(blueprint), engine_of(blueprint)
    _step(straight, steps)
    _step(before, steps // 2)
    tensors, facts = before.state()
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), before.steps_done, tensors, facts, keep=1)
        newest = read_newest_checkpoint(Path(folder))
    assert newest is not None
    # Other initial weights, so that nothing that the checkpoint lacks is the same by chance.
    after = engine_of(blueprint, networks_seed=blueprint.training.seed + 1)
    after.load_state(newest[0], newest[1])
    _step(after, steps - after.steps_done)
    different = _first_difference(straight.state()[0], after.state()[0])
    if different:
        raise NotKeptError(
            f"a resumed run must end as the straight run does, bit for bit, and {different} of "
            f"{variant.title} differs; keep what lasts between steps in the trainer's state or in "
            "buffers"
        )


def _at_every_stage(variant: VariantSubject) -> Iterator[tuple[Stage, Engine]]:
    """Give an engine of the variant's where each of its stages begins, with many steps to go."""
    engine = engine_of(variant.blueprint(steps=LONG))
    ends = stage_ends(engine.stages, engine.settings)
    for stage, start in zip(engine.stages, (0, *ends), strict=False):
        engine.steps_done = start
        yield stage, engine


@contextmanager
def _watching_waits(engine: Engine, title: str) -> Iterator[None]:
    """Look at how the trainer computes its losses.

    Raises:
        NotKeptError: the program waited for a tensor's values.
    """
    original = engine.trainer.loss

    def loss(phase: Phase, batch: Any, step: Step) -> Losses:
        with Waits() as waits:
            losses = original(phase, batch, step)
        if waits.names:
            raise NotKeptError(
                "computing a loss must not wait for the device, and that of the phase "
                f"{phase.name!r} of {title} does ({waits.names[0]}); compute with tensors instead, "
                "by torch.where for example"
            )
        return losses

    engine.trainer.loss = loss  # type: ignore[method-assign]
    try:
        yield
    finally:
        engine.trainer.loss = original  # type: ignore[method-assign]


@contextmanager
def _watching_phases(engine: Engine, title: str) -> Iterator[set[tuple[str, str]]]:
    """Give the set of (phase, role) that got a gradient, while looking for what must not be.

    Raises:
        NotKeptError: a network outside of the phase got a gradient or moved, or the trainer did
            what is the engine's part.
    """
    learned: set[tuple[str, str]] = set()
    watch = _PhaseWatch(engine.trainer, title, learned)
    before = register_optimizer_step_pre_hook(watch.before_step)
    after = register_optimizer_step_post_hook(watch.after_step)
    engine.trainer.loss = watch.loss  # type: ignore[method-assign]
    try:
        yield learned
    finally:
        before.remove()
        after.remove()
        engine.trainer.loss = watch.original  # type: ignore[method-assign]


class _PhaseWatch:
    """Stands between the engine and a trainer's loss, and sees every optimiser's step."""

    def __init__(self, trainer: Trainer, title: str, learned: set[tuple[str, str]]) -> None:
        self.original = trainer.loss
        self.title = title
        self.learned = learned
        self.weights = {
            role: dict(network.named_parameters()) for role, network in trainer.networks.items()
        }
        self.phase: Phase | None = None
        self.computing = False
        self.step_due = False
        self.before: dict[str, dict[str, Tensor]] = {}

    def loss(self, phase: Phase, batch: Any, step: Step) -> Losses:
        """Compute the loss, and see that nothing but that happens."""
        self.phase = phase
        self.before = {
            role: {name: weight.detach().clone() for name, weight in weights.items()}
            for role, weights in self.weights.items()
        }
        held = {id(weight) for _, _, weight in self._weights() if weight.grad is not None}
        self.computing = True
        losses = self.original(phase, batch, step)
        self.computing = False
        self.step_due = True
        for role, name, weight in self._weights():
            if weight.grad is not None and id(weight) not in held:
                raise NotKeptError(
                    "a trainer must leave backward() to the engine, and computing the loss of "
                    f"{self._where()} left a gradient in {name} of the {role}"
                )
        self._refuse_movement()
        return losses

    def before_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        """See which networks have a gradient when an optimiser is about to step."""
        if self.phase is None or self.computing or not self.step_due:
            raise NotKeptError(
                "a trainer must leave the optimisers to the engine, and that of "
                f"{self.title} steps {type(optimizer).__name__} by itself"
            )
        self.step_due = False
        own = self._own()
        for role, name, weight in self._weights():
            if weight.grad is None or not weight.grad.any():
                continue
            if id(weight) not in own:
                raise NotKeptError(
                    f"a phase must give no gradient to networks that it does not train, and "
                    f"{self._where()} gives one to {name} of the {role}"
                )
            self.learned.add((self.phase.name, role))

    def after_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        """See which weights the step moved."""
        self._refuse_movement()

    def _refuse_movement(self) -> None:
        own = self._own()
        for role, name, weight in self._weights():
            if id(weight) not in own and not torch.equal(weight, self.before[role][name]):
                raise NotKeptError(
                    f"a phase must not move networks that it does not train, and {self._where()} "
                    f"moves {name} of the {role}"
                )

    def _own(self) -> set[int]:
        assert self.phase is not None
        return {id(w) for role in self.phase.networks for w in self.weights[role].values()}

    def _weights(self) -> Iterator[tuple[str, str, nn.Parameter]]:
        for role, weights in self.weights.items():
            for name, weight in weights.items():
                yield role, name, weight

    def _where(self) -> str:
        assert self.phase is not None
        return f"the phase {self.phase.name!r} of {self.title}"


def _descent(
    trainer: Trainer,
    learnable: Mapping[str, list[nn.Parameter]],
    earlier: Sequence[Phase],
    phase: Phase,
    chosen: Adam | None,
    batch: Batch,
    stage: str,
) -> list[float]:
    """Train one phase alone on one batch with the same noise at each step; return its losses."""
    weights = [weight for role in phase.networks for weight in learnable[role]]
    optimizer = (chosen or phase.optimizer).build(weights)
    losses = []
    for _ in range(DESCENT_STEPS + 1):
        step = Step(noise_of(1), Progress(0, 1, 0.0), stage)
        with drawing_from(step.noise, *trainer.networks.values()):
            # What an earlier phase computed may be reused, so it has to be computed.
            for other in earlier:
                _freeze_all_but(other.networks, learnable)
                trainer.loss(other, batch, step)
            _freeze_all_but(phase.networks, learnable)
            total = trainer.loss(phase, batch, step).total
        losses.append(total.item())
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return losses


def _has_one_layer(network: nn.Module) -> bool:
    return sum(weight.dim() > 1 for weight in network.parameters()) == 1


def _fell(ends: tuple[float, float] | None) -> bool:
    return ends is not None and ends[0] - ends[1] > FALL * abs(ends[0])


def _freeze_all_but(roles: tuple[str, ...], learnable: Mapping[str, list[nn.Parameter]]) -> None:
    for role, weights in learnable.items():
        for weight in weights:
            weight.requires_grad_(role in roles)


def _step(engine: Engine, steps: int) -> None:
    for _ in range(steps):
        engine.step()


def _first_difference(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    for name in sorted(expected.keys() | found.keys()):
        if name not in expected or name not in found or not _same(expected[name], found[name]):
            return name
    return ""


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.contiguous(), other.contiguous())
