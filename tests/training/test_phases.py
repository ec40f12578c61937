"""What a trainer's phases and stages mean, shown on networks of one or two weights."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo_core.components import (
    SGD,
    Adam,
    Batch,
    Config,
    Losses,
    Parts,
    Phase,
    Progress,
    Stage,
    Step,
    Trainer,
    mixed_seed,
)
from ganzoo_core.errors import ConfigError
from ganzoo_core.nn import Dropout
from ganzoo_core.testing.checks.watching import WAITING
from ganzoo_core.training.engine import Engine, images_per_step
from ganzoo_core.training.processes import Processes
from ganzoo_core.training.settings import TrainingSettings


class Numbers:
    """An endless series of images of four pixels, each a function of its position."""

    count = 16

    def __init__(self, size: int) -> None:
        self.size = size

    def draw(self, position: int, size: int | None = None, shape: object = None) -> Batch:
        rows = torch.arange(position, position + (size or self.size), dtype=torch.float32)
        return Batch(torch.sin(rows[:, None] + torch.arange(4.0)).view(-1, 1, 2, 2))


LossOf = Callable[[Phase, Batch, Step], Losses]


def squares(networks: dict[str, nn.Module]) -> LossOf:
    """Return a loss in which every network has a part: the squared distance from 1."""

    def loss(phase: Phase, batch: Batch, step: Step) -> Losses:
        values = batch.images.flatten(1)
        for network in networks.values():
            values = network(values)
        return Losses((values - 1).square().mean())

    return loss


class Toy(Trainer):
    def __init__(
        self, networks: dict[str, nn.Module], stages: Sequence[Stage], loss: LossOf | None = None
    ) -> None:
        super().__init__(Config(), Parts(networks))
        self._stages = stages
        self._loss = loss or squares(networks)
        self.calls: list[tuple[str, Batch, Step]] = []

    def stages(self) -> Sequence[Stage]:
        return self._stages

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        self.calls.append((phase.name, batch, step))
        return self._loss(phase, batch, step)


class Watched(SGD):
    """SGD whose every move notes the gradients of all networks."""

    def build(self, parameters: Any) -> torch.optim.Optimizer:
        optimizer = super().build(parameters)
        optimizer.register_step_pre_hook(lambda *_: WATCH.note())
        return optimizer


@dataclass
class Watch:
    networks: dict[str, nn.Module] = field(default_factory=dict)
    seen: list[dict[str, list[Tensor | None]]] = field(default_factory=list)

    def note(self) -> None:
        self.seen.append(
            {
                role: [None if w.grad is None else w.grad.clone() for w in network.parameters()]
                for role, network in self.networks.items()
            }
        )


WATCH = Watch()


@pytest.fixture(autouse=True)
def watch() -> Iterator[Watch]:
    WATCH.networks, WATCH.seen = {}, []
    yield WATCH


def linear(seed: int = 0) -> nn.Module:
    layer = nn.Linear(4, 4)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 2)
    return layer


def two() -> dict[str, nn.Module]:
    return {"a": linear(1), "b": linear(2)}


def one_stage(*phases: Phase) -> list[Stage]:
    return [Stage("training", phases)]


def engine_of(
    trainer: Trainer, inference: Sequence[str] = (), **settings: Any
) -> tuple[Engine, Numbers]:
    settings = {"steps": 12, "batch_size": 4, **settings}
    batches = Numbers(settings["batch_size"])
    return Engine(trainer, batches, TrainingSettings(**settings), inference=inference), batches


def copied(network: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def same(network: nn.Module, weights: list[Tensor]) -> bool:
    return all(map(torch.equal, copied(network), weights))


def run(engine: Engine, steps: int) -> None:
    for _ in range(steps):
        engine.step()


def test_a_phase_gives_exactly_no_gradient_to_other_networks(watch: Watch) -> None:
    watch.networks = two()
    phases = (Phase("first", ("a",), Watched()), Phase("second", ("b",), Watched()))
    engine, _ = engine_of(Toy(watch.networks, one_stage(*phases)))
    run(engine, 2)
    learning = ["a", "b", "a", "b"]
    assert len(watch.seen) == len(learning)
    for role, gradients in zip(learning, watch.seen, strict=True):
        for its, values in gradients.items():
            if its == role:
                assert all(value is not None and value.abs().sum() > 0 for value in values)
            else:
                assert values == [None, None]


def test_a_phase_moves_its_networks_alone() -> None:
    networks = two()
    engine, _ = engine_of(Toy(networks, one_stage(Phase("only", ("a",), SGD()))))
    before = {role: copied(network) for role, network in networks.items()}
    run(engine, 2)
    assert not same(networks["a"], before["a"])
    assert same(networks["b"], before["b"])


def test_weights_that_a_plugin_froze_stay_frozen() -> None:
    networks = two()
    frozen = networks["a"].weight
    assert isinstance(frozen, nn.Parameter)
    frozen.requires_grad_(False)
    before = frozen.clone()
    phases = (Phase("first", ("a",), Adam()), Phase("second", ("b",), Adam()))
    engine, _ = engine_of(Toy(networks, one_stage(*phases)))
    run(engine, 3)
    assert frozen.requires_grad is False
    assert torch.equal(frozen, before)


class Shared(nn.Module):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, values: Tensor) -> Tensor:
        output: Tensor = self.trunk(values)
        return output


@pytest.mark.parametrize("roles", [("a",), ("b",), ("a", "b")])
def test_a_weight_that_networks_share_moves_once_if_one_of_them_learns(
    roles: tuple[str, ...], watch: Watch
) -> None:
    trunk = linear()
    networks: dict[str, nn.Module] = {"a": Shared(trunk), "b": Shared(trunk)}
    watch.networks = {"trunk": trunk}
    engine, _ = engine_of(Toy(networks, one_stage(Phase("p", roles, Watched(lr=0.5)))))
    before = copied(trunk)
    engine.step()
    for weight, old, gradient in zip(
        trunk.parameters(), before, watch.seen[0]["trunk"], strict=True
    ):
        assert gradient is not None
        torch.testing.assert_close(weight.detach(), old - 0.5 * gradient)


def positions(trainer: Toy) -> list[tuple[str, float]]:
    """Return each call's phase and the number of its batch's first image."""
    firsts = {Numbers(1).draw(n).images[0, 0, 0, 0].item(): n for n in range(1000)}
    return [(name, firsts[batch.images[0, 0, 0, 0].item()]) for name, batch, _ in trainer.calls]


def test_phases_of_a_step_see_the_same_batch_and_repetitions_fresh_ones() -> None:
    phases = (Phase("critic", ("a",), SGD(), repeat=3), Phase("generator", ("b",), SGD()))
    trainer = Toy(two(), one_stage(*phases))
    engine, _ = engine_of(trainer)
    assert engine.draws_per_step == 3
    run(engine, 2)
    assert positions(trainer) == [
        *(("critic", 0), ("critic", 4), ("critic", 8), ("generator", 8)),
        *(("critic", 12), ("critic", 16), ("critic", 20), ("generator", 20)),
    ]
    assert engine.position == 24


def test_every_runs_a_phase_seldom() -> None:
    phases = (Phase("often", ("a",), SGD()), Phase("seldom", ("b",), SGD(), every=3))
    trainer = Toy(two(), one_stage(*phases))
    engine, _ = engine_of(trainer)
    run(engine, 5)
    names = [name for name, _, _ in trainer.calls]
    assert names == ["often", "seldom", "often", "often", "often", "seldom", "often"]


def test_a_later_phase_finds_what_an_earlier_one_computed_on_its_batch_and_no_older() -> None:
    found = []

    def loss(phase: Phase, batch: Batch, step: Step) -> Losses:
        found.append(step.reuse.get("first pixel"))
        step.reuse["first pixel"] = batch.images[0, 0, 0, 0].item()
        return squares(networks)(phase, batch, step)

    networks = two()
    phases = (Phase("one", ("a",), SGD(), repeat=2), Phase("two", ("b",), SGD()))
    engine, batches = engine_of(Toy(networks, one_stage(*phases), loss))
    run(engine, 2)
    pixel = [batches.draw(position).images[0, 0, 0, 0].item() for position in (4, 12)]
    assert found == [None, None, pixel[0], None, None, pixel[1]]


@pytest.mark.parametrize(
    ("shares", "lengths"),
    [((1, 1), (6, 6)), ((1, 3), (3, 9)), ((0.001, 1), (0, 12)), ((1, 1, 1), (4, 4, 4))],
)
def test_stages_follow_their_shares(shares: tuple[float, ...], lengths: tuple[int, ...]) -> None:
    stages = [
        Stage(f"stage {n}", (Phase("p", ("a",), SGD()),), share) for n, share in enumerate(shares)
    ]
    trainer = Toy(two(), stages)
    engine, _ = engine_of(trainer)
    run(engine, 12)
    seen = [step.stage for _, _, step in trainer.calls]
    assert seen == [f"stage {n}" for n, length in enumerate(lengths) for _ in range(length)]
    progress = [step.progress for _, _, step in trainer.calls]
    expected = [(step, length) for length in lengths for step in range(length)]
    assert [(its.step, its.steps) for its in progress] == expected
    assert [its.epochs for its in progress] == [step * 4 / 16 for step in range(12)]


def staged(*stages: tuple[float, int | None]) -> list[Stage]:
    phase = Phase("p", ("a",), SGD(lr=0.01))
    return [
        Stage(f"stage {n}", (phase,), share, batch_size=size)
        for n, (share, size) in enumerate(stages)
    ]


@pytest.mark.parametrize(
    ("stages", "lengths"),
    [
        (((1, None), (1, 4)), (6, 6)),
        (((1, None), (1, 2)), (4, 8)),
        (((1, 16), (1, None), (1, 2)), (1, 4, 7)),
        (((3, 12), (1, None)), (6, 6)),
    ],
)
def test_stages_of_equal_shares_see_equally_many_images_whatever_their_batches(
    stages: Any, lengths: tuple[int, ...]
) -> None:
    trainer = Toy(two(), staged(*stages))
    engine, _ = engine_of(trainer)
    run(engine, 12)
    seen = [step.stage for _, _, step in trainer.calls]
    assert seen == [f"stage {n}" for n, length in enumerate(lengths) for _ in range(length)]
    sizes = [size or 4 for (_, size), length in zip(stages, lengths, strict=True)]
    expected = [size for size, length in zip(sizes, lengths, strict=True) for _ in range(length)]
    assert [len(batch) for _, batch, _ in trainer.calls] == expected
    assert engine.position == sum(expected)


def test_no_image_is_left_out_or_seen_twice_where_the_batch_size_changes() -> None:
    trainer = Toy(two(), staged((1, 2), (1, None), (1, 3)))
    engine, batches = engine_of(trainer)
    run(engine, 12)
    seen = torch.cat([batch.images for _, batch, _ in trainer.calls])
    torch.testing.assert_close(seen, batches.draw(0, len(seen)).images)


def test_epochs_count_the_images_that_each_stage_sees() -> None:
    trainer = Toy(two(), staged((1, 2), (1, 4)))
    engine, _ = engine_of(trainer)
    run(engine, 12)
    epochs = [step.progress.epochs for _, _, step in trainer.calls]
    assert epochs == [n * 2 / 16 for n in range(8)] + [(16 + n * 4) / 16 for n in range(4)]


@pytest.mark.parametrize(
    ("stages", "images"),
    [(((1, None),), 4), (((1, 2), (1, None)), Fraction(8, 3)), (((2, 8), (1, None)), 6)],
)
def test_the_images_of_a_step_are_the_mean_over_the_training(stages: Any, images: Any) -> None:
    settings = TrainingSettings(batch_size=4, steps=12)
    assert images_per_step(staged(*stages), settings) == images


def test_a_stage_whose_batch_the_processes_cannot_share_is_refused_before_any_step() -> None:
    alone = Processes("cpu")
    alone.count = 2
    trainer = Toy(two(), staged((1, None), (1, 3)))
    with pytest.raises(ConfigError, match=r"the batch size of the stage 'stage 1' cannot be 3: 2"):
        Engine(trainer, Numbers(4), TrainingSettings(batch_size=4), processes=alone)


def test_only_the_optimisers_of_the_current_stage_are_kept() -> None:
    phase = Phase("p", ("a",), Adam())
    trainer = Toy(two(), [Stage("one", (phase,)), Stage("two", (phase,))])
    engine, _ = engine_of(trainer)
    run(engine, 6)
    assert any(name.startswith("optimizers/one/") for name in engine.state()[0])
    run(engine, 1)
    kept = {name.split("/")[1] for name in engine.state()[0] if name.startswith("optimizers/")}
    assert kept == {"two"}


@pytest.mark.parametrize("stopped_after", range(1, 12))
def test_a_run_goes_on_bit_for_bit_wherever_in_its_stages_it_stopped(stopped_after: int) -> None:
    def fresh() -> Engine:
        phase = Phase("p", ("a",), Adam())
        stages = [
            Stage("one", (phase,), batch_size=2),
            Stage("two", (phase, Phase("q", ("b",), SGD(momentum=0.9)))),
        ]
        return engine_of(Toy(two(), stages), ("a",), ema=0.9)[0]

    straight, before, after = fresh(), fresh(), fresh()
    run(straight, 12)
    run(before, stopped_after)
    after.load_state(*before.state())
    run(after, 12 - stopped_after)
    expected, found = straight.state(), after.state()
    assert expected[1] == found[1]
    assert expected[0].keys() == found[0].keys()
    for name, tensor in expected[0].items():
        assert torch.equal(tensor, found[0][name]), name


def test_a_stage_begins_once_and_before_its_first_step() -> None:
    networks = two()
    told: list[tuple[str, int]] = []
    phase = Phase("p", ("a",), SGD())
    stages = [
        Stage(
            name, (phase,), begin=partial(lambda its: told.append((its, len(trainer.calls))), name)
        )
        for name in ("one", "two")
    ]
    trainer = Toy(networks, stages)
    run(engine_of(trainer, steps=6)[0], 6)
    assert told == [("one", 0), ("two", 3)]


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_run_taken_up_around_a_stages_beginning_ends_as_the_straight_one(stop: int) -> None:
    def begun() -> Engine:
        networks = two()

        def copy_weights() -> None:
            networks["b"].load_state_dict(networks["a"].state_dict())

        stages = [
            Stage("one", (Phase("p", ("a",), SGD()),)),
            Stage("two", (Phase("q", ("b",), SGD()),), begin=copy_weights),
        ]
        return engine_of(Toy(networks, stages), inference=("a", "b"), steps=6, ema=0.5)[0]

    straight, first, second = begun(), begun(), begun()
    run(straight, 6)
    run(first, stop)
    second.load_state(*first.state())
    run(second, 6 - stop)
    wanted, found = straight.state()[0], second.state()[0]
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_each_stage_has_optimisers_of_its_own(watch: Watch) -> None:
    networks = {"a": linear()}
    phase = Phase("p", ("a",), SGD(lr=0.1, momentum=0.9))
    trainer = Toy(networks, [Stage("one", (phase,)), Stage("two", (phase,))])
    engine, _ = engine_of(trainer, steps=2)
    engine.step()
    before = copied(networks["a"])
    watch.networks = networks
    values = copy.deepcopy(networks["a"])
    loss = squares({"a": values})(phase, Numbers(4).draw(4), trainer.calls[0][2])
    loss.total.backward()
    engine.step()
    for weight, old, copy_ in zip(
        networks["a"].parameters(), before, values.parameters(), strict=True
    ):
        assert copy_.grad is not None
        torch.testing.assert_close(weight.detach(), old - 0.1 * copy_.grad)


def test_a_schedule_scales_the_learning_rate(watch: Watch) -> None:
    networks = {"a": linear()}
    watch.networks |= networks

    def halved(progress: Progress) -> float:
        return 0.5**progress.step

    phase = Phase("p", ("a",), Watched(lr=0.2), schedule=halved)
    engine, _ = engine_of(Toy(networks, one_stage(phase)))
    for step in range(3):
        before = copied(networks["a"])
        engine.step()
        for weight, old, gradient in zip(
            networks["a"].parameters(), before, watch.seen[-1]["a"], strict=True
        ):
            assert gradient is not None
            torch.testing.assert_close(weight.detach(), old - 0.2 * 0.5**step * gradient)


@pytest.mark.parametrize("accumulate", [2, 4])
@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_accumulation_is_one_big_batch(accumulate: int, clip: float) -> None:
    ends = []
    for parts in (1, accumulate):
        networks = two()
        phases = (Phase("first", ("a",), Adam(lr=0.1)), Phase("second", ("b",), SGD(lr=0.1)))
        engine, _ = engine_of(
            Toy(networks, one_stage(*phases)), batch_size=8 // parts, accumulate=parts, clip=clip
        )
        run(engine, 4)
        assert engine.position == 32
        ends.append((networks, engine.mean_losses()))
    (whole, losses), (accumulated, mean_losses) = ends
    assert mean_losses == pytest.approx(losses)
    for role, network in whole.items():
        for weight, other in zip(network.parameters(), accumulated[role].parameters(), strict=True):
            torch.testing.assert_close(weight, other)


def test_clipping_bounds_the_norm_and_keeps_the_direction(watch: Watch) -> None:
    gradients = []
    for clip in (0.0, 0.05):
        watch.networks, watch.seen = {"a": linear()}, []
        engine, _ = engine_of(
            Toy(watch.networks, one_stage(Phase("p", ("a",), Watched()))), clip=clip
        )
        engine.step()
        its = [value for value in watch.seen[0]["a"] if value is not None]
        gradients.append(torch.cat([value.flatten() for value in its]))
    free, clipped = gradients
    assert free.norm() > 0.05
    torch.testing.assert_close(clipped.norm(), torch.tensor(0.05), rtol=1e-4, atol=0)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm())


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = linear()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, values: Tensor) -> Tensor:
        output: Tensor = self.norm(self.layer(values))
        return output


def test_the_average_is_the_closed_form_and_statistics_are_the_last_ones() -> None:
    decay, steps = 0.8, 5
    networks: dict[str, nn.Module] = {"a": Normalised(), "b": linear(2)}
    phases = (Phase("p", ("a", "b"), SGD(lr=0.1)),)
    engine, _ = engine_of(Toy(networks, one_stage(*phases)), inference=("a",), ema=decay)
    history = [copied(networks["a"])]
    for _ in range(steps):
        engine.step()
        history.append(copied(networks["a"]))
    assert list(engine.averages) == ["a"]
    expected = [decay**steps * weight for weight in history[0]]
    for step, weights in enumerate(history[1:], 1):
        for total, weight in zip(expected, weights, strict=True):
            total += (1 - decay) * decay ** (steps - step) * weight
    average = engine.inference_networks(["a"])["a"]
    for value, wanted in zip(average.parameters(), expected, strict=True):
        torch.testing.assert_close(value.detach(), wanted)
    statistics = zip(average.buffers(), networks["a"].buffers(), strict=True)
    assert all(torch.equal(value, current) for value, current in statistics)
    assert engine.inference_networks(["b"])["b"] is networks["b"]


def test_without_a_decay_no_average_is_kept() -> None:
    networks = two()
    engine, _ = engine_of(Toy(networks, one_stage(Phase("p", ("a",), SGD()))), inference=("a",))
    assert engine.averages == {}
    assert engine.inference_networks(["a"])["a"] is networks["a"]


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.half)])
def test_mixed_precision_computes_in_16_bits_and_keeps_32(
    precision: str, dtype: torch.dtype
) -> None:
    networks = two()
    dtypes = set()

    def loss(phase: Phase, batch: Batch, step: Step) -> Losses:
        values = networks["b"](networks["a"](batch.images.flatten(1)))
        dtypes.add(values.dtype)
        return Losses((values.float() - 1).square().mean())

    second = SGD(lr=0.1, momentum=0.5)
    phases = (Phase("first", ("a",), Adam(lr=0.1)), Phase("second", ("b",), second))
    engine, _ = engine_of(
        Toy(networks, one_stage(*phases), loss), precision=precision, clip=1.0, accumulate=2
    )
    engine.step()
    before = engine.mean_losses()
    run(engine, 11)
    assert dtypes == {dtype}
    assert engine.mean_losses()["second"] < before["second"]
    for network in networks.values():
        for weight in network.parameters():
            assert weight.dtype == torch.float32
            assert weight.isfinite().all()


def test_scaled_gradients_are_unscaled_before_they_are_clipped(watch: Watch) -> None:
    watch.networks = {"a": linear()}
    engine, _ = engine_of(
        Toy(watch.networks, one_stage(Phase("p", ("a",), Watched()))), precision="fp16", clip=0.05
    )
    run(engine, 4)  # the first of them overflow, until the scale is low enough
    norms = [value.norm() for value in watch.seen[-1]["a"] if value is not None]
    torch.testing.assert_close(torch.stack(norms).norm(), torch.tensor(0.05), rtol=1e-3, atol=0)


WAITS = WAITING | {"_local_scalar_dense"}
"""What makes the program wait for the device, also below PyTorch's functions."""


class Operations(TorchDispatchMode):
    """Notes the names of all operations below PyTorch's functions."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = names

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.append(function.overloadpacket.__name__)
        return function(*args, **kwargs or {})


class Functions(TorchFunctionMode):
    """Notes the names of all functions and methods of tensors."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.append(getattr(function, "__name__", ""))
        return function(*args, **kwargs or {})


@pytest.mark.parametrize(
    "settings",
    [{}, {"clip": 0.1, "ema": 0.9, "accumulate": 2}, {"precision": "bf16", "channels_last": False}],
)
def test_a_step_never_waits_for_the_device(settings: dict[str, Any]) -> None:
    networks: dict[str, nn.Module] = {"a": Normalised(), "b": nn.Sequential(Dropout(), linear(2))}
    phases = (
        Phase("first", ("a",), Adam(), repeat=2),
        Phase("second", ("b",), SGD(momentum=0.5), every=2),
    )
    trainer = Toy(networks, one_stage(*phases))
    engine, _ = engine_of(trainer, inference=("a",), **settings)
    names: list[str] = []
    with Operations(names), Functions(names):
        run(engine, 3)
        assert len(names) > 100
        assert not [name for name in names if name in WAITS]
        engine.check_finite()
    # Looking at the losses is what waits, and once for them and once for the weights.
    assert [name for name in names if name in WAITS] == ["tolist", "tolist"]


def test_gradients_are_given_back_after_a_step() -> None:
    networks = two()
    engine, _ = engine_of(Toy(networks, one_stage(Phase("p", ("a", "b"), SGD()))))
    engine.step()
    assert all(w.grad is None for network in networks.values() for w in network.parameters())


def test_the_state_of_moments_lies_in_memory_as_the_weights_do() -> None:
    """Fused optimisers walk through memory, and a checkpoint stores rows in order."""

    def built() -> Engine:
        generator = torch.Generator().manual_seed(0)
        # Only a weight of several inputs and several pixels has another order in memory.
        network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Conv2d(3, 4, 2))
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))

        def loss(phase: Phase, batch: Batch, step: Step) -> Losses:
            return Losses((network(batch.images) - 1).square().mean())

        trainer = Toy({"a": network}, one_stage(Phase("p", ("a",), Adam(lr=0.1))), loss)
        return engine_of(trainer)[0]

    straight, first, second = built(), built(), built()
    run(straight, 6)
    run(first, 3)
    tensors, facts = first.state()
    second.load_state({name: tensor.contiguous() for name, tensor in tensors.items()}, facts)
    run(second, 3)
    assert same(second.networks["a"], copied(straight.networks["a"]))


def test_the_noise_of_training_is_not_that_which_made_a_network() -> None:
    """A network of a blueprint is drawn from `mixed_seed(seed, its number)`."""
    engine, _ = engine_of(Toy(two(), one_stage(Phase("p", ("a",), SGD()))), seed=3)
    assert engine.noise.generator.initial_seed() not in {mixed_seed(3, n) for n in range(100)}
