"""Optimisers' settings build what they say."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from ganzoo_core.components import SGD, Adagrad, Adam, Optimizer, Progress, RMSprop, constant

CHOSEN: dict[str, tuple[Any, type[Any], dict[str, Any]]] = {
    "adam": (
        Adam(lr=0.01, betas=(0.5, 0.9), eps=1e-6, weight_decay=0.1),
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-6, "weight_decay": 0.1, "fused": True},
    ),
    "sgd": (
        SGD(lr=0.2, momentum=0.9, nesterov=True, weight_decay=0.01),
        torch.optim.SGD,
        {"lr": 0.2, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "fused": True},
    ),
    "rmsprop": (
        RMSprop(lr=1e-3, alpha=0.9, eps=1e-5),
        torch.optim.RMSprop,
        {"lr": 1e-3, "alpha": 0.9, "eps": 1e-5, "momentum": 0, "centered": False},
    ),
    "adagrad": (
        Adagrad(lr=0.05, eps=1e-8, weight_decay=0.1),
        torch.optim.Adagrad,
        {"lr": 0.05, "eps": 1e-8, "weight_decay": 0.1},
    ),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_setting_builds_the_optimiser_that_it_describes(name: str) -> None:
    setting, kind, options = CHOSEN[name]
    weights = list(nn.Linear(2, 2).parameters())
    optimizer: Any = setting.build(weights)
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert group["params"] == weights
    assert {key: group[key] for key in options} == options


@pytest.mark.parametrize("name", CHOSEN)
def test_one_move_is_that_of_the_textbook(name: str) -> None:
    setting, _, _ = CHOSEN[name]
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = setting.build([weight])
    weight.grad = torch.tensor([0.5])
    optimizer.step()
    if isinstance(setting, Adam):
        # With bias correction the first move is the learning rate times the gradient's sign.
        expected = 2 - 0.01
    elif isinstance(setting, SGD):
        gradient = 0.5 + 0.01 * 2
        expected = 2 - 0.2 * (gradient + 0.9 * gradient)
    elif isinstance(setting, Adagrad):
        # The first move is the learning rate times the gradient's sign.
        expected = 2 - 0.05
    else:
        expected = 2 - 1e-3 * 0.5 / ((0.1 * 0.25) ** 0.5 + 1e-5)
    assert weight.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", CHOSEN)
def test_the_name_alone_chooses(name: str) -> None:
    setting, _, _ = CHOSEN[name]
    read: object = TypeAdapter(Optimizer).validate_python(setting.model_dump(mode="json"))
    assert read == setting


@pytest.mark.parametrize(
    "nonsense",
    [
        {"name": "adam", "lr": 0},
        {"name": "adam", "lr": -1e-3},
        {"name": "adam", "lr": float("nan")},
        {"name": "adam", "betas": (0.5, 1.0)},
        {"name": "adam", "betas": (0.5,)},
        {"name": "adam", "eps": 0},
        {"name": "sgd", "momentum": 1},
        {"name": "sgd", "betas": (0.5, 0.9)},
        {"name": "rmsprop", "alpha": -0.1},
        {"name": "lion"},
        {},
    ],
)
def test_nonsense_is_refused(nonsense: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Optimizer).validate_python(nonsense)


def test_the_constant_schedule_changes_nothing() -> None:
    assert constant(Progress(3, 10, 0.5)) == 1


def test_progress_runs_from_0_to_1() -> None:
    assert Progress(0, 10, 0).fraction == 0
    assert Progress(10, 10, 2.5).fraction == 1
