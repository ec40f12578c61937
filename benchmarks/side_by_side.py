"""What the benchmarks of a training step share: images in memory, taking turns, and the table."""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ganzoo_core.components import Batch

PROMISE = 3.0
"""Largest overhead of the engine in per cent."""


class InMemory:
    """The same few batches again and again."""

    def __init__(self, batch_size: int, size: int, device: torch.device) -> None:
        self.count = 16 * batch_size
        self._batch_size = batch_size
        drawn = torch.rand((self.count, 3, size, size), generator=torch.Generator().manual_seed(0))
        images = (drawn * 2 - 1).to(device, memory_format=torch.channels_last)
        self._batches = [Batch(chunk) for chunk in images.split(batch_size)]

    def draw(self, position: int, size: int | None = None, shape: object = None) -> Batch:
        return self._batches[position // self._batch_size % len(self._batches)]


class Times(NamedTuple):
    """Milliseconds of a step."""

    wall: float
    processor: float
    """Over all threads."""


def timed(step: Callable[[], object], steps: int, device: torch.device) -> Times:
    """Do a block of steps."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    took = (time.perf_counter() - wall, time.process_time() - processor)
    return Times(*(1000 * its / steps for its in took))


def in_turns(
    engine: Callable[[], object],
    hand: Callable[[], object],
    rounds: int,
    steps: int,
    device: torch.device,
    after_round: Callable[[], object] = lambda: None,
) -> dict[str, list[Times]]:
    """Return the times of blocks of both; who goes first alternates too."""
    contenders = [("engine", engine), ("by hand", hand)]
    times: dict[str, list[Times]] = {name: [] for name, _ in contenders}
    for number in range(rounds + 1):
        for name, step in contenders if number % 2 else reversed(contenders):
            took = timed(step, steps, device)
            if number:  # the first round warms up
                times[name].append(took)
        after_round()
    return times


def check_equal(ours: Mapping[str, nn.Module], theirs: Mapping[str, nn.Module]) -> None:
    """Exit unless both have the same weights bit for bit."""
    for role, network in theirs.items():
        state = ours[role].state_dict()
        for key, tensor in network.state_dict().items():
            if not torch.equal(state[key], tensor):
                raise SystemExit(f"not the same mathematics: {role} {key} differs")


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


def run(
    measure: Callable[[int, int, str], dict[str, Any]], doc: str | None, rounds: int, steps: int
) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds, help=f"of each (default {rounds})")
    parser.add_argument("--steps", type=int, default=steps, help=f"of a block (default {steps})")
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
