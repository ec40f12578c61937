"""What every named component keeps by itself, whatever recipe it is part of."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganzoo_core.components import Config, Loss, Regularizer
from ganzoo_core.testing.checks.shapes import COUNT, judgement, sides_of, turn
from ganzoo_core.testing.checks.watching import changes_nothing, random_state_kept
from ganzoo_core.testing.report import NotKeptError
from ganzoo_core.testing.subjects import (
    ComponentSubject,
    answer_of,
    in_mode,
    inputs_for,
    noise_of,
)

SMALL = 4096
"""Numbers that a build for the meta device may compute with, such as a table of rates."""
COUNTS = ("channels", "image_size", "latent_size", "width")
"""Settings that cannot be below 1 wherever a config has them."""


def manifest_agrees_with_hooks(component: ComponentSubject) -> None:
    """The hooks give each named component a config model and build it as its kind."""
    model = component.hooks.config(component.kind, component.name)
    try:
        model()
    except ValueError as error:
        said = " ".join(str(error).split())
        raise NotKeptError(
            f"every setting must have a default that is valid, and {model.__name__} has not: {said}"
        ) from error
    if component.kind == "trainer":
        if "ganzoo_trainer" not in component.hooks.implemented:
            raise NotKeptError(
                f"the manifest names {component.title}, and no hook ganzoo_trainer builds it"
            )
        return
    component.build()


def config_round_trips(component: ComponentSubject) -> None:
    """A config written as JSON and read again is the same."""
    for config in (component.hooks.config(component.kind, component.name)(), component.config()):
        again = type(config).model_validate_json(config.model_dump_json())
        if again != config:
            raise NotKeptError(
                f"a config must be the same after JSON, and {type(config).__name__} changes: "
                f"{config!r} became {again!r}"
            )


def config_rejects_nonsense(component: ComponentSubject) -> None:
    """A config refuses unknown settings, wrong types, NaN, and sizes below 1."""
    config = component.config()
    model, settings = type(config), config.model_dump()
    _must_refuse(model, settings, "no_such_setting", 1)
    for name in model.model_fields:
        _must_refuse(model, settings, name, object())
        _must_refuse(model, settings, name, math.nan)
        if name in COUNTS:
            _must_refuse(model, settings, name, -1)
            _must_refuse(model, settings, name, 0)


def builds_on_cpu_and_meta(component: ComponentSubject) -> None:
    """A network built on the meta device has the same tensors as on the CPU, without memory."""
    network = component.network()
    expected = _described(network)
    with _Allocations() as allocations:
        shadow = component.build("meta")
    for name, tensor in _tensors_of(shadow):
        if not tensor.is_meta:
            raise NotKeptError(
                f"a network built on the meta device must hold no memory, and {name} of "
                f"{component.title} is on the {tensor.device.type}"
            )
    if allocations.largest > SMALL:
        raise NotKeptError(
            f"a network built on the meta device must allocate nothing, and {component.title} "
            f"made a tensor of {allocations.largest} numbers"
        )
    found = _described(shadow)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise NotKeptError(
                f"a network must be the same on every device, and {name} of {component.title} is "
                f"{expected.get(name, 'absent')} on the CPU and {found.get(name, 'absent')} on meta"
            )


def inputs_unchanged(component: ComponentSubject) -> None:
    """A component leaves the tensors that it is given as they were."""
    built = component.build()
    if isinstance(built, Loss):
        real, fake = judgement((COUNT,), 0), judgement((COUNT,), 1)
        with changes_nothing(component.title, (real, fake)):
            sides_of(built, real, fake)
        return
    if isinstance(built, Regularizer):
        _, judged = turn(0)
        with changes_nothing(component.title, (judged.real, judged.fake)):
            built.penalty(judged, noise_of(0))
        return
    inputs = inputs_for(built, COUNT)
    for training in (True, False):
        with (
            in_mode(built, training=training),
            torch.no_grad(),
            changes_nothing(component.title, inputs),
        ):
            answer_of(built, inputs)


def random_state_untouched(component: ComponentSubject) -> None:
    """Building and running a component touches no global random state."""
    with random_state_kept(f"building {component.title}"):
        built = component.build()
    if isinstance(built, Loss):
        with random_state_kept(f"running {component.title}"):
            sides_of(built, judgement((COUNT,), 0), judgement((COUNT,), 1))
        return
    if isinstance(built, Regularizer):
        critic, judged = turn(0)
        with random_state_kept(f"running {component.title}"):
            built.penalty(judged, noise_of(0))
            built.constrain(critic)
        return
    for training in (True, False):
        with (
            in_mode(built, training=training),
            torch.no_grad(),
            random_state_kept(f"running {component.title}"),
        ):
            answer_of(built, inputs_for(built, COUNT))


def _must_refuse(model: type[Config], settings: dict[str, Any], name: str, value: object) -> None:
    try:
        model.model_validate({**settings, name: value})
    except ValueError:
        return
    shown = "an object of no type" if type(value) is object else repr(value)
    raise NotKeptError(f"{model.__name__} must refuse {name} = {shown}, and it accepts it")


class _Allocations(TorchDispatchMode):
    """Notes how many numbers the largest tensor holds that is made in memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and not tensor.is_meta:
                self.largest = max(self.largest, tensor.numel())
        return result


def _tensors_of(network: nn.Module) -> list[tuple[str, Tensor]]:
    """Return parameters, buffers, and tensors that are plain attributes, by name."""
    plain = [
        (f"{prefix}.{name}" if prefix else name, value)
        for prefix, layer in network.named_modules()
        for name, value in vars(layer).items()
        if isinstance(value, Tensor)
    ]
    return [*network.named_parameters(), *network.named_buffers(), *plain]


def _described(network: nn.Module) -> dict[str, str]:
    tensors = {
        name: f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        for name, tensor in _tensors_of(network)
    }
    shapes = {name: str(getattr(network, name, "absent")) for name in ("image_shape", "classes")}
    return tensors | shapes
