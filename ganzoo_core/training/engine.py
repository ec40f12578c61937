"""The engine: runs any trainer's phases. It knows no paper, no files and no clock.

One step gives every phase its turn. During a phase only its own networks learn; all others are
frozen, so that no gradient is computed for them. Everything that a step depends on (weights,
averages, optimisers, position in the data, random generator) is in `state`, so that a run that is
taken up again continues bit for bit.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganzoo_core.components import (
    Batch,
    ClipShape,
    JointNoise,
    Phase,
    Progress,
    Stage,
    Step,
    Trainer,
    drawing_from,
    learning_stages,
    mixed_seed,
)
from ganzoo_core.components.trainer import unchanged
from ganzoo_core.errors import CheckpointError, ConfigError, RunError
from ganzoo_core.nn.batch_norm import synced
from ganzoo_core.training.processes import Processes
from ganzoo_core.training.settings import TrainingSettings

AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

_NON_FINITE_ADVICE = "try a lower learning rate, --set training.clip=1, or --precision fp32"


class Batches(Protocol):
    """Where the engine's batches come from."""

    count: int
    """Images in one epoch."""

    def draw(self, position: int, size: int, shape: ClipShape | None = None) -> Batch:
        """Return this process's share of the joined batch of `size` images from `position` on.

        `shape` is what a stage wants of each clip of a video; None where it wants images.
        """


class NonFiniteLossError(RunError):
    """A loss, or the weights that it moved, became infinite or not a number."""


@dataclass
class _Turn:
    """A phase of a stage with its optimiser and the weights that it moves."""

    phase: Phase
    optimizer: torch.optim.Optimizer
    weights: list[nn.Parameter]
    scaler: torch.amp.GradScaler | None


class Engine:
    """Steps a trainer through its phases.

    Args:
        trainer: the paper's procedure over its networks.
        batches: the training data.
        settings: how long and on what terms.
        inference: roles of the networks whose moving average is kept, where `settings.ema` says so.
        processes: the device, and the other processes that train along.
    """

    def __init__(
        self,
        trainer: Trainer,
        batches: Batches,
        settings: TrainingSettings,
        *,
        inference: Sequence[str] = (),
        processes: Processes | None = None,
    ) -> None:
        self.trainer = trainer
        self.batches = batches
        self.settings = settings
        self.processes = processes or Processes("cpu")
        self.device = self.processes.device
        self.stages = learning_stages(trainer)
        self._check_shared_evenly()
        self.networks = dict(trainer.networks)
        self._place_networks()
        self.averages = {
            role: copy.deepcopy(self.networks[role]).requires_grad_(False)
            for role in (inference if settings.ema else ())
        }
        self.noise = JointNoise(
            # Three numbers: the seeds of two are those of the networks and of the samples.
            torch.Generator(self.device).manual_seed(mixed_seed(settings.seed, 1, 0)),
            self.processes.rank,
            self.processes.count,
        )
        self._ends = stage_ends(self.stages, settings)
        self._trainable = {
            role: [weight for weight in network.parameters() if weight.requires_grad]
            for role, network in self.networks.items()
        }
        self._turns = self._turns_of(0)
        self._learning: tuple[str, ...] | None = None
        self._unchecked: list[tuple[int, str, Tensor]] = []
        self._stage_begun = 0
        self.steps_done = 0
        self.position = 0
        """Images drawn so far, over all processes; the data's order follows from it."""
        self.losses: dict[str, Tensor] = {}
        """The losses of the last step by name, each a detached scalar: this process's share."""

    @property
    def stage(self) -> Stage:
        """The stage of the next step."""
        return self.stages[self._stage_number()]

    @property
    def batch_size(self) -> int:
        """Images of the joined batch in the current stage."""
        return batch_size_of(self.stage, self.settings)

    @property
    def draws_per_step(self) -> int:
        """Batches that a full step of the current stage draws."""
        return batches_per_step(self.stage.phases) * self.settings.accumulate

    @property
    def normalises_shares(self) -> bool:
        """Whether a process's batch statistics are those of its own share of the joined batch."""
        return self.processes.count > 1 and any(
            isinstance(layer, nn.modules.batchnorm._BatchNorm)
            for network in self.networks.values()
            for layer in network.modules()
        )

    def step(self) -> None:
        """Give every phase of the current stage its turn, once."""
        number = self._stage_number()
        if number != self._stage_begun:
            self._begin_stage(number)
        start = self._ends[number - 1] if number else 0
        stage = self.stages[number]
        progress = Progress(
            self.steps_done - start,
            self._ends[number] - start,
            self.position / self.batches.count,
        )
        self.losses = {}
        if not progress.step and stage.begin is not unchanged:
            self._hand_over(stage)
        drawn: list[tuple[Batch, Step]] = []
        with drawing_from(self.noise, *self.networks.values()):
            for turn in self._turns:
                if progress.step % turn.phase.every:
                    continue
                for repetition in range(turn.phase.repeat):
                    if repetition or not drawn:
                        drawn = self._draw(progress, stage)
                    self._update(turn, drawn, progress)
        if self.trainer.criterion is not None:
            # What a loss remembers follows from the whole joined batch.
            self.processes.average_(
                buffer for buffer in self.trainer.criterion.buffers() if buffer.is_floating_point()
            )
        if self.averages:
            self._average()
        self.steps_done += 1

    def check_finite(self) -> None:
        """Look at the losses since the last call and at the weights, a synchronisation for each.

        Raises:
            NonFiniteLossError: one was infinite or not a number; the message says which and when.
        """
        if self._unchecked:
            # Averaged, so that all processes stop together for what one of them saw.
            totals = self._averaged([total for _, _, total in self._unchecked])
            for (step, phase, _), total in zip(self._unchecked, totals, strict=True):
                if not math.isfinite(total):
                    raise NonFiniteLossError(
                        f"the loss of phase {phase!r} became {total} at step {step}; "
                        f"{_NON_FINITE_ADVICE}"
                    )
            self._unchecked.clear()
        # A finite loss may have an infinite gradient, which no loss shows before the next step.
        weights = [(role, weight) for role, its in self._trainable.items() for weight in its]
        finite = self._averaged([weight.detach().isfinite().all() for _, weight in weights])
        for (role, _), share in zip(weights, finite, strict=True):
            if share < 1:
                raise NonFiniteLossError(
                    f"weights of the {role} became infinite or not a number by step "
                    f"{self.steps_done}; {_NON_FINITE_ADVICE}"
                )

    def mean_losses(self) -> dict[str, float]:
        """Return the losses of the last step by name, averaged over all processes."""
        return dict(zip(self.losses, self._averaged(list(self.losses.values())), strict=True))

    def inference_networks(self, roles: Sequence[str]) -> dict[str, nn.Module]:
        """Return the networks that a trained model keeps: their averages where there are any."""
        return {role: self.averages.get(role, self.networks[role]) for role in roles}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that the next step depends on, as tensors and as JSON."""
        self._settle_batch_statistics()
        tensors = {"noise": self.noise.generator.get_state()}
        for role, network in self.networks.items():
            tensors |= _prefixed(f"networks/{role}/", network.state_dict())
        for role, network in self.averages.items():
            tensors |= _prefixed(f"averages/{role}/", network.state_dict())
        tensors |= _prefixed("trainer/", self.trainer.state)
        if self.trainer.criterion is not None:
            tensors |= _prefixed("loss/", self.trainer.criterion.state_dict())
        facts: dict[str, Any] = {"steps_done": self.steps_done, "position": self.position}
        for prefix, turn in self._named_turns():
            for index, values in turn.optimizer.state_dict()["state"].items():
                tensors |= _prefixed(f"{prefix}/{index}/", values)
            if turn.scaler is not None:
                facts[prefix] = turn.scaler.state_dict()
        return tensors, facts

    def load_state(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Continue from what `state` returned.

        Raises:
            CheckpointError: the state is that of other networks or optimisers.
        """
        try:
            for role, network in self.networks.items():
                network.load_state_dict(_within(f"networks/{role}/", tensors))
            for role, network in self.averages.items():
                network.load_state_dict(_within(f"averages/{role}/", tensors))
            if self.trainer.criterion is not None:
                self.trainer.criterion.load_state_dict(_within("loss/", tensors))
            self.trainer.state = {
                name: tensor.to(self.device)
                for name, tensor in _within("trainer/", tensors).items()
            }
            # A generator's state lives on the CPU whatever the device.
            self.noise.generator.set_state(tensors["noise"].cpu())
            self.steps_done = int(facts["steps_done"])
            self.position = int(facts["position"])
            self._begin_stage(self._stage_number())
            for prefix, turn in self._named_turns():
                _load_optimizer(turn.optimizer, _within(f"{prefix}/", tensors))
                if turn.scaler is not None and prefix in facts:
                    turn.scaler.load_state_dict(facts[prefix])
        except (KeyError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"the checkpoint does not fit this model ({reason[:200]}); "
                "it was written by another version of the plugin or of ganzoo-core"
            ) from None

    def _place_networks(self) -> None:
        for role, network in self.networks.items():
            network.to(self.device)
            if self.settings.channels_last:
                network.to(memory_format=torch.channels_last)
            if self.settings.batch_norm == "synced" and self.processes.count > 1:
                self.networks[role] = synced(network)
            network.train(role not in self.trainer.given)
        if self.trainer.criterion is not None:
            self.trainer.criterion.to(self.device)

    def _check_shared_evenly(self) -> None:
        count = self.processes.count
        for stage in self.stages:
            size = batch_size_of(stage, self.settings)
            if size % count:
                name = "training.batch_size"
                if stage.batch_size is not None:
                    name = f"the batch size of the stage {stage.name!r}"
                raise ConfigError(
                    f"{name} cannot be {size}: {count} processes must share it evenly"
                )

    def _begin_stage(self, number: int) -> None:
        # The optimisers of the stage before go with it: their moments are worth two more copies of
        # the weights, in memory and in every checkpoint.
        self._turns = self._turns_of(number)
        self._stage_begun = number

    def _turns_of(self, number: int) -> list[_Turn]:
        turns: dict[str, _Turn] = {}
        for phase in self.stages[number].phases:
            if phase.optimizer_of:
                turns[phase.name] = replace(turns[phase.optimizer_of], phase=phase)
            else:
                turns[phase.name] = self._turn(phase)
        return list(turns.values())

    def _turn(self, phase: Phase) -> _Turn:
        # Networks may share weights, which must not move twice.
        weights = list(
            dict.fromkeys(weight for role in phase.networks for weight in self._trainable[role])
        )
        scaler = (
            torch.amp.GradScaler(self.device.type) if self.settings.precision == "fp16" else None
        )
        return _Turn(phase, phase.optimizer.build(weights), weights, scaler)

    def _draw(self, progress: Progress, stage: Stage) -> list[tuple[Batch, Step]]:
        drawn = []
        size = batch_size_of(stage, self.settings)
        for _ in range(self.settings.accumulate):
            batch = self.batches.draw(self.position, size, stage.clips)
            self.position += size
            drawn.append((batch, Step(self.noise, progress, stage.name)))
        return drawn

    def _update(self, turn: _Turn, drawn: list[tuple[Batch, Step]], progress: Progress) -> None:
        """Move the weights of one phase, once."""
        name = turn.phase.name
        self._freeze_all_but(turn.phase.networks)
        shares = []
        for batch, step in drawn:
            with self._autocast():
                losses = self.trainer.loss(turn.phase, batch, step)
            total = losses.total / len(drawn) if len(drawn) > 1 else losses.total
            (turn.scaler.scale(total) if turn.scaler else total).backward()
            parts = {f"{name}/{part}": value for part, value in losses.parts.items()}
            shares.append({name: losses.total.detach(), **parts})
        self.losses |= _mean(shares)
        self._unchecked.append((self.steps_done + 1, name, self.losses[name]))
        factor = turn.phase.schedule(progress)
        for group in turn.optimizer.param_groups:
            group["lr"] = turn.phase.optimizer.lr * factor
        # Before unscaling: an overflow in one process must make all of them skip the move.
        self.processes.average_(w.grad for w in turn.weights if w.grad is not None)
        if turn.scaler:
            turn.scaler.unscale_(turn.optimizer)
        if self.settings.clip:
            nn.utils.clip_grad_norm_(turn.weights, self.settings.clip)
        if turn.scaler:
            turn.scaler.step(turn.optimizer)
            turn.scaler.update()
        else:
            turn.optimizer.step()
        turn.optimizer.zero_grad(set_to_none=True)
        turn.phase.constrain()

    @torch.no_grad()
    def _hand_over(self, stage: Stage) -> None:
        """Let a stage put the networks in order; a network that it changes is averaged anew."""
        before = {
            role: [weight.detach().clone() for weight in self.networks[role].parameters()]
            for role in self.averages
        }
        stage.begin()
        for role, weights in before.items():
            now = self.networks[role].parameters()
            if not all(torch.equal(*both) for both in zip(weights, now, strict=True)):
                self.averages[role].load_state_dict(self.networks[role].state_dict())

    def _freeze_all_but(self, learning: tuple[str, ...]) -> None:
        if learning == self._learning:
            return
        for weights in self._trainable.values():
            for weight in weights:
                weight.requires_grad_(False)
        # Last, so that a weight that networks share learns if one of them does.
        for role in learning:
            for weight in self._trainable[role]:
                weight.requires_grad_(True)
        self._learning = learning

    def _autocast(self) -> torch.autocast:
        dtype = AUTOCAST_DTYPES.get(self.settings.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    @torch.no_grad()
    def _average(self) -> None:
        for role, average in self.averages.items():
            weights: list[Tensor] = list(self.networks[role].parameters())
            kept: list[Tensor] = list(average.parameters())
            torch._foreach_lerp_(kept, weights, 1 - self.settings.ema)
            for statistic, current in zip(
                average.buffers(), self.networks[role].buffers(), strict=True
            ):
                statistic.copy_(current)

    def _averaged(self, scalars: Sequence[Tensor]) -> list[float]:
        """Return scalars averaged over all processes, with one synchronisation for all of them."""
        if not scalars:
            return []
        joined = torch.stack([scalar.to(self.device, torch.float32) for scalar in scalars])
        self.processes.average_([joined])
        averaged: list[float] = joined.tolist()
        return averaged

    def _settle_batch_statistics(self) -> None:
        """Average the running statistics that each process gathered from its own share."""
        self.processes.average_(
            buffer
            for network in (*self.networks.values(), *self.averages.values())
            for buffer in network.buffers()
            if buffer.is_floating_point()
        )

    def _stage_number(self) -> int:
        for number, end in enumerate(self._ends):
            if self.steps_done < end:
                return number
        return len(self._ends) - 1

    def _named_turns(self) -> list[tuple[str, _Turn]]:
        stage = self.stages[self._stage_begun].name
        return [
            (f"optimizers/{stage}/{turn.phase.name}", turn)
            for turn in self._turns
            if not turn.phase.optimizer_of
        ]


def batches_per_step(phases: Sequence[Phase]) -> int:
    """Return how many batches a full step draws: one, and one for each repetition of a phase."""
    return 1 + sum(phase.repeat - 1 for phase in phases)


def batch_size_of(stage: Stage, settings: TrainingSettings) -> int:
    """Return the images of a joined batch in a stage."""
    return settings.batch_size if stage.batch_size is None else stage.batch_size


def stage_ends(stages: Sequence[Stage], settings: TrainingSettings) -> list[int]:
    """Return after which step each stage ends, in proportion to the shares."""
    weights = [_steps_weight(stage, settings) for stage in stages]
    total = sum(weights)
    return [
        round(settings.steps * sum(weights[: number + 1]) / total) for number in range(len(weights))
    ]


def images_per_step(stages: Sequence[Stage], settings: TrainingSettings) -> Fraction:
    """Return how many images a step draws, on average over a training."""
    weights = [Fraction(_steps_weight(stage, settings)) for stage in stages]
    images = [
        batch_size_of(stage, settings) * batches_per_step(stage.phases) * settings.accumulate
        for stage in stages
    ]
    drawn = sum((w * count for w, count in zip(weights, images, strict=True)), Fraction())
    return drawn / sum(weights)


def _steps_weight(stage: Stage, settings: TrainingSettings) -> float:
    """Return a stage's share of the steps: larger batches need fewer for the same images."""
    return stage.share * (settings.batch_size / batch_size_of(stage, settings))


def _mean(shares: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    if len(shares) == 1:
        return dict(shares[0])
    return {name: torch.stack([share[name] for share in shares]).mean() for name in shares[0]}


def _prefixed(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        prefix + name: value if isinstance(value, Tensor) else torch.tensor(value)
        for name, value in tensors.items()
        if value is not None
    }


def _within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    groups = optimizer.state_dict()["param_groups"]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition("/")
        if int(index) >= len(weights):
            raise ValueError("an optimiser has more weights than this model")
        weight = weights[int(index)]
        if tensor.shape == weight.shape:
            # Fused optimisers walk through memory: a moment must lie there as its weight does.
            tensor = torch.empty_like(weight, dtype=tensor.dtype).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})
