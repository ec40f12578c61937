"""A loss that is not finite stops the training before it is saved."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import ganzoo_core
from ganzoo_core.errors import RunError
from ganzoo_core.training.checkpoints import checkpoints_in
from ganzoo_core.training.engine import NonFiniteLossError

Tiny = Callable[..., dict[str, Any]]


def troubled(tiny: Tiny, trouble: dict[str, Any], **training: Any) -> dict[str, Any]:
    settings = {f"trainer.{key}": value for key, value in trouble.items()}
    components = {"trainer": "ganzoo-plugin-probe/troubled"}
    return tiny(components=components, steps=9, **settings, **training)


@pytest.mark.parametrize("phase", ["discriminator", "generator"])
@pytest.mark.parametrize("log_every", [1, 4, 100])
def test_the_error_names_phase_step_and_the_last_good_checkpoint(
    phase: str, log_every: int, tiny: Tiny, tmp_path: Path
) -> None:
    arguments = troubled(
        tiny, {"phase": phase, "nan_loss_at": 6}, checkpoint_every=2, log_every=log_every
    )
    with pytest.raises(NonFiniteLossError) as stop:
        ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    good = tmp_path / "run" / "checkpoints" / "step-00000004"
    assert re.fullmatch(
        rf"the loss of phase '{phase}' became nan at step 6; try .+; "
        rf"the last good checkpoint is {re.escape(str(good))}",
        str(stop.value),
    )
    assert isinstance(stop.value, RunError)
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize("trouble", ["nan_loss_at", "nan_gradient_at"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_no_checkpoint_holds_what_is_not_finite(
    trouble: str, precision: str, accumulate: int, tiny: Tiny, tmp_path: Path
) -> None:
    arguments = troubled(
        tiny,
        {trouble: 5},
        checkpoint_every=1,
        keep_checkpoints=9,
        log_every=100,
        ema=0.9,
        precision=precision,
        accumulate=accumulate,
    )
    with pytest.raises(NonFiniteLossError, match="step 5"):
        ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    written = checkpoints_in(tmp_path / "run" / "checkpoints")
    assert [path.name for path in written] == [f"step-{step:08d}" for step in range(1, 5)]
    for path in written:
        for tensor in load_file(path / "state.safetensors").values():
            assert tensor.isfinite().all()


def test_weights_that_a_finite_loss_spoiled_are_named(tiny: Tiny, tmp_path: Path) -> None:
    arguments = troubled(tiny, {"phase": "generator", "nan_gradient_at": 5}, checkpoint_every=5)
    with pytest.raises(NonFiniteLossError) as stop:
        ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    assert re.fullmatch(
        "weights of the generator became infinite or not a number by step 5; try .+; "
        "there is no checkpoint yet",
        str(stop.value),
    )


def test_the_last_step_is_looked_at_too(tiny: Tiny, tmp_path: Path) -> None:
    arguments = troubled(tiny, {"nan_loss_at": 9}, checkpoint_every=0, log_every=100)
    with pytest.raises(NonFiniteLossError, match="at step 9"):
        ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    assert not checkpoints_in(tmp_path / "run" / "checkpoints")


def test_scaled_gradients_that_overflow_skip_the_move_instead(tiny: Tiny, tmp_path: Path) -> None:
    arguments = troubled(tiny, {"nan_gradient_at": 5}, precision="fp16", checkpoint_every=1)
    model = ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    assert model.sample(4).isfinite().all()
