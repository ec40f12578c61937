"""A training in a process of its own, which can be killed, interrupted or run out of disk.

As a program it does several jobs, in the processes that a launcher makes of it.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROBE = Path(__file__).parent / "probe"
"""A folder with an installed plugin, `ganzoo-plugin-probe`, whose trainers are in trouble."""


def run(verb: str, arguments: dict[str, Any], cache: str, full_at: int = 0) -> int:
    """Train or resume as a command line would, and return the exit code.

    Args:
        verb: "train" or "resume".
        arguments: of that function.
        cache: folder of the decoded data.
        full_at: step after which no file can grow beyond a few bytes.
    """
    os.environ["GANZOO_CACHE"] = cache
    if str(PROBE) not in sys.path:
        sys.path.insert(0, str(PROBE))

    import ganzoo_core
    from ganzoo_core.training.run import Observer

    class Reporter(Observer):
        def started(self, steps_done: int, steps: int, blueprint: Any) -> None:
            print(f"after step {steps_done}", flush=True)

        def stepped(self, steps_done: int) -> None:
            if steps_done == full_at:
                # What is imported from here on must not leave half of itself beside its source.
                sys.dont_write_bytecode = True
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        def noted(self, message: str) -> None:
            print(f"noted: {message}", flush=True)

    try:
        getattr(ganzoo_core, verb)(**arguments, device="cpu", observer=Reporter())
    except ganzoo_core.GanzooError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return error.exit_code
    return 0


def run_logged(log: str, **job: Any) -> None:
    """Do one job with everything that is said in a file, and exit with its code."""
    say_into(log)
    sys.exit(run(**job))


def say_into(log: str) -> None:
    """Let this process say everything into a file."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)


def normalise(out: str) -> int:
    """Normalise this process's share of a batch, synced, and write what comes of it to `out`."""
    from safetensors.torch import save_file

    from ganzoo_core.nn import synced
    from ganzoo_core.training.processes import Processes

    processes = Processes("cpu")
    results = {}
    for name, layer, joined in batch_norms():
        layer = synced(layer)
        share = joined.chunk(processes.count)[processes.rank].clone().requires_grad_()
        for _ in range(2):
            normalised = layer(share)
        # The mean over the processes of such sums is that of the joined batch.
        (normalised.float().sin().sum() * processes.count).backward()
        processes.average_(weight.grad for weight in layer.parameters() if weight.grad is not None)
        results[f"{name}/output"] = normalised.detach()
        assert share.grad is not None
        results[f"{name}/gradient"] = share.grad / processes.count
        for weight, value in layer.named_parameters():
            assert value.grad is not None
            results[f"{name}/{weight}.grad"] = value.grad
        results |= {f"{name}/{key}": value.clone() for key, value in layer.state_dict().items()}
    save_file({k: v.contiguous() for k, v in results.items()}, f"{out}.{processes.rank}")
    return 0


def batch_norms() -> list[tuple[str, Any, Any]]:
    """Return layers of every kind, each with a joined batch for it."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(3)

    def drawn(*shape: int) -> Any:
        return torch.randn(shape, generator=generator) * 3 + 100

    def with_weights(layer: Any) -> Any:
        with torch.no_grad():
            for weight in layer.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))
        return layer

    return [
        ("images", with_weights(nn.BatchNorm2d(3)), drawn(6, 3, 5, 4)),
        ("vectors", with_weights(nn.BatchNorm1d(7)), drawn(8, 7)),
        ("plain", nn.BatchNorm2d(2, affine=False), drawn(4, 2, 3, 3)),
        ("untracked", nn.BatchNorm2d(2, track_running_stats=False), drawn(4, 2, 3, 3)),
        ("cumulative", nn.BatchNorm2d(2, momentum=None), drawn(4, 2, 3, 3)),
        ("half", with_weights(nn.BatchNorm2d(3)), drawn(64, 3, 9, 9).bfloat16()),
    ]


def settle(settings: dict[str, Any], out: str, cache: str) -> int:
    """Train for two steps and write this process's batch statistics, and those of its state."""
    os.environ["GANZOO_CACHE"] = cache

    from safetensors.torch import save_file

    from ganzoo_core.blueprint import draw_up
    from ganzoo_core.data import open_images
    from ganzoo_core.plugins import read_installed
    from ganzoo_core.training.batches import ImageBatches
    from ganzoo_core.training.engine import Engine
    from ganzoo_core.training.processes import Processes

    processes = Processes("cpu")
    blueprint = draw_up(read_installed(), "dcgan", {**settings, "channels": 1})
    images = open_images("digits", image_size=16, channels=1)
    batches = ImageBatches(images, blueprint.training.batch_size, 0, processes)
    trainer = blueprint.build_trainer(blueprint.build_networks())
    engine = Engine(trainer, batches, blueprint.training, processes=processes)
    engine.step()
    engine.step()
    results = {
        f"own/networks/{role}/{name}": buffer.clone()
        for role, network in engine.networks.items()
        for name, buffer in network.named_buffers()
    }
    state, _ = engine.state()
    results |= {f"state/{name}": tensor.contiguous() for name, tensor in state.items()}
    save_file(results, f"{out}.{processes.rank}")
    return 0


TASKS: dict[str, Callable[..., int]] = {"run": run, "normalise": normalise, "settle": settle}


def main() -> None:
    """Do each job of the JSON file that is the first argument, in order; exit with the worst."""
    codes = []
    for job in json.loads(Path(sys.argv[1]).read_text()):
        say_into(f"{job.pop('log')}.{os.environ['RANK']}")
        codes.append(TASKS[job.pop("task")](**job))
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
