"""What the engine costs: its step beside the same mathematics in a loop written by hand.

    python benchmarks/dcgan_step.py [--json] [--threads N] [--device cuda]

DCGAN at 32×32, width 64, batch 64, alternating with fresh latents. The loop by hand has all that
makes it fast: a discriminator that is frozen while the generator learns, fused Adam, channels_last,
no logging and no checks. Both get the same images from memory. Blocks of steps of the one and of
the other take turns, so that whatever else the machine does hits both alike; what is printed are
medians over the blocks, by the clock on the wall and by the processor time that the steps took,
which other programs disturb less. At the end the weights of both must be equal bit for bit: it was
the same mathematics.
"""

from collections.abc import Callable
from typing import Any

import torch
from side_by_side import PROMISE, InMemory, check_equal, compared, in_turns, machine, run
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo_core.blueprint import Blueprint, draw_up
from ganzoo_core.plugins import read_installed
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.processes import Processes

BATCH_SIZE = 64
SETTINGS = {"image_size": 32, "channels": 3, "width": 64, "training.batch_size": BATCH_SIZE}
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)


def by_engine(blueprint: Blueprint, device: str) -> Engine:
    trainer = blueprint.build_trainer(blueprint.build_networks())
    processes = Processes(device)
    return Engine(
        trainer, InMemory(BATCH_SIZE, 32, processes.device), blueprint.training, processes=processes
    )


def by_hand(
    networks: dict[str, nn.Module], noise: torch.Generator, device: torch.device
) -> Callable[[], None]:
    """Return a function that does one step."""
    generator, discriminator = (
        networks[role].to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        for role in ("generator", "discriminator")
    )
    generator_adam, discriminator_adam = (
        torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS, fused=True)
        for network in (generator, discriminator)
    )
    judged = list(discriminator.parameters())
    batches = InMemory(BATCH_SIZE, 32, device)
    position = 0

    def latents() -> Tensor:
        return torch.rand((BATCH_SIZE, 100), generator=noise, device=device) * 2 - 1

    def step() -> None:
        nonlocal position
        images = batches.draw(position).images
        position += BATCH_SIZE
        with torch.no_grad():
            fakes = generator(latents())
        real, fake = discriminator(images).logits, discriminator(fakes).logits
        (softplus(-real).mean() + softplus(fake).mean()).backward()
        discriminator_adam.step()
        discriminator_adam.zero_grad(set_to_none=True)
        for weight in judged:
            weight.requires_grad_(False)
        softplus(-discriminator(generator(latents())).logits).mean().backward()
        generator_adam.step()
        generator_adam.zero_grad(set_to_none=True)
        for weight in judged:
            weight.requires_grad_(True)

    return step


def measure(rounds: int, steps: int, device: str) -> dict[str, Any]:
    blueprint = draw_up(read_installed(), "dcgan", dict(SETTINGS))
    engine = by_engine(blueprint, device)
    # A loop by hand that began with the same weights and noise.
    networks = blueprint.build_networks()
    noise = torch.Generator(engine.device).manual_seed(engine.noise.generator.initial_seed())
    step = by_hand(networks, noise, engine.device)
    times = in_turns(engine.step, step, rounds, steps, engine.device, engine.check_finite)
    check_equal(engine.networks, networks)
    return {
        "machine": machine(engine.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "blocks": rounds,
        "steps per block": steps,
        **compared("wall", times),
        **compared("processor", times),
        "promised at most per cent": PROMISE,
        "forward-equivalents per step": dict(engine.trainer.passes()),
        "weights equal bit for bit": True,
    }


if __name__ == "__main__":
    run(measure, __doc__, rounds=40, steps=1)
