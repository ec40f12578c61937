"""The same arguments and seed give identical weights, and nothing else has a say in them."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Start

import ganzoo_core
from ganzoo_core.training.checkpoints import checkpoints_in

Tiny = Callable[..., dict[str, Any]]


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def state(run: Path) -> bytes:
    return (checkpoints_in(run / "checkpoints")[-1] / "state.safetensors").read_bytes()


def trained(out: Path, arguments: dict[str, Any], **options: Any) -> Path:
    ganzoo_core.train(out=out, device="cpu", **arguments, **options)
    return out


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("variant", ["gan", "dcgan"])
def test_the_same_seed_twice_gives_identical_weights(
    variant: str, precision: str, tiny: Tiny, tmp_path: Path
) -> None:
    arguments = tiny(variant, ema=0.9, precision=precision)
    first = trained(tmp_path / "first", arguments, flip=True)
    second = trained(tmp_path / "second", arguments, flip=True)
    assert weights(first) == weights(second)
    assert state(first) == state(second)


def test_another_process_gives_identical_weights(tiny: Tiny, start: Start, tmp_path: Path) -> None:
    arguments = tiny("dcgan")
    apart = start("train", out=str(tmp_path / "apart"), **arguments)
    here = trained(tmp_path / "here", arguments)
    assert apart.wait() == 0, apart.said
    assert state(tmp_path / "apart") == state(here)


@pytest.mark.parametrize("variant", ["gan", "dcgan"])
def test_another_seed_gives_other_weights(variant: str, tiny: Tiny, tmp_path: Path) -> None:
    first = trained(tmp_path / "first", tiny(variant, seed=1))
    second = trained(tmp_path / "second", tiny(variant, seed=2))
    assert weights(first) != weights(second)


def test_flipping_changes_the_weights(tiny: Tiny, tmp_path: Path) -> None:
    arguments = tiny()
    plain = trained(tmp_path / "plain", arguments)
    flipped = trained(tmp_path / "flipped", arguments, flip=True)
    assert weights(plain) != weights(flipped)


def test_global_random_state_has_no_say_and_is_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    arguments = tiny(sample_every=2, **{"discriminator.hidden_dropout": 0.5})
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = (torch.get_rng_state(), repr(np.random.get_state()), random.getstate())
        trained(tmp_path / str(seed), arguments)
        after = (torch.get_rng_state(), repr(np.random.get_state()), random.getstate())
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]
    assert weights(tmp_path / "1") == weights(tmp_path / "2")


def test_looking_changes_no_weight(tiny: Tiny, tmp_path: Path) -> None:
    seldom = trained(tmp_path / "seldom", tiny("dcgan", log_every=100, checkpoint_every=0))
    often = trained(tmp_path / "often", tiny("dcgan", sample_every=1, checkpoint_every=1))
    assert state(seldom) == state(often)
    assert len(list((often / "samples").iterdir())) == 6
