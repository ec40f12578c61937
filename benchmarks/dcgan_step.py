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

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo_core.blueprint import Blueprint, draw_up
from ganzoo_core.components import Batch
from ganzoo_core.plugins import read_installed
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.processes import Processes

BATCH_SIZE = 64
SETTINGS = {"image_size": 32, "channels": 3, "width": 64, "training.batch_size": BATCH_SIZE}
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)
PROMISE = 3.0
"""Largest overhead in per cent."""


class InMemory:
    """The same few batches again and again."""

    count = 16 * BATCH_SIZE

    def __init__(self, device: torch.device) -> None:
        images = torch.rand((self.count, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(
            device, memory_format=torch.channels_last
        )
        self._batches = [Batch(chunk) for chunk in (images * 2 - 1).split(BATCH_SIZE)]

    def draw(self, position: int, size: int = BATCH_SIZE) -> Batch:
        return self._batches[position // BATCH_SIZE % len(self._batches)]


def by_engine(blueprint: Blueprint, device: str) -> Engine:
    trainer = blueprint.build_trainer(blueprint.build_networks())
    processes = Processes(device)
    return Engine(trainer, InMemory(processes.device), blueprint.training, processes=processes)


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
    batches = InMemory(device)
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


class Times(NamedTuple):
    """Milliseconds of a step."""

    wall: float
    processor: float
    """Over all threads."""


def timed(step: Callable[[], None], steps: int, device: torch.device) -> Times:
    """Do a block of steps."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    took = (time.perf_counter() - wall, time.process_time() - processor)
    return Times(*(1000 * its / steps for its in took))


def measure(rounds: int, steps: int, device: str) -> dict[str, Any]:
    blueprint = draw_up(read_installed(), "dcgan", dict(SETTINGS))
    engine = by_engine(blueprint, device)
    # A loop by hand that began with the same weights and noise.
    networks = blueprint.build_networks()
    noise = torch.Generator(engine.device).manual_seed(engine.noise.generator.initial_seed())
    step = by_hand(networks, noise, engine.device)
    contenders = [("engine", engine.step), ("by hand", step)]
    times: dict[str, list[Times]] = {"engine": [], "by hand": []}
    for number in range(rounds + 1):
        # Who goes first alternates too.
        for name, its_step in contenders if number % 2 else reversed(contenders):
            took = timed(its_step, steps, engine.device)
            if number:  # the first round warms up
                times[name].append(took)
        engine.check_finite()
    for role, network in networks.items():
        ours = engine.networks[role].state_dict()
        for key, tensor in network.state_dict().items():
            if not torch.equal(ours[key], tensor):
                raise SystemExit(f"not the same mathematics: {role} {key} differs")
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


def compared(clock: str, times: dict[str, list[Times]]) -> dict[str, Any]:
    """Return medians over the blocks by one of the clocks, and how the overhead spreads."""
    ours, theirs = (
        [getattr(took, clock) for took in times[name]] for name in ("engine", "by hand")
    )
    engine, hand = statistics.median(ours), statistics.median(theirs)
    pairs = [100 * (its / other - 1) for its, other in zip(ours, theirs, strict=True)]
    return {
        f"{clock}: engine ms per step": round(engine, 2),
        f"{clock}: by hand ms per step": round(hand, 2),
        f"{clock}: overhead per cent": round(100 * (engine / hand - 1), 2),
        f"{clock}: quartiles of neighbouring blocks": [
            round(its, 2) for its in statistics.quantiles(pairs, n=4)
        ],
    }


def machine(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()} × {len(names)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help="blocks of each (default 40)")
    parser.add_argument("--steps", type=int, default=1, help="steps of a block (default 1)")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    found = measure(max(2, arguments.rounds), max(1, arguments.steps), arguments.device)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    width = max(map(len, found))
    for name, value in found.items():
        shown = "  ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:<{width}}  {shown}")


if __name__ == "__main__":
    main()
