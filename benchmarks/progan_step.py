"""What the engine costs ProGAN: a step of growing beside the same mathematics written by hand.

    python benchmarks/progan_step.py [--json] [--threads N] [--device cuda]

ProGAN at 32×32 while that size is faded in: 64 feature maps at the lowest sizes and 16 at the
highest, batches of 16, WGAN-GP with drift, Adam. The loop by hand uses the same networks and has
all that makes it fast: a discriminator that is frozen while the generator learns, one pass each,
fused Adam, channels_last, no logging and no checks. Blocks of steps take turns as in
`dcgan_step.py`, and at the end the weights of both must be equal bit for bit.
"""

from collections.abc import Callable
from typing import Any

import torch
from ganzoo_plugin_progan.growing import seen_at
from side_by_side import PROMISE, InMemory, check_equal, compared, in_turns, machine, run
from torch import Tensor, nn

from ganzoo_core.blueprint import draw_up
from ganzoo_core.plugins import read_installed
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.processes import Processes

SIZE, BATCH_SIZE, LATENT_SIZE = 32, 16, 64
STAGE, STEPS = "32x32 fading in", 100_000
SETTINGS = {
    "image_size": SIZE,
    "channels": 3,
    "width": 64,
    "capacity": 512,
    "latent_size": LATENT_SIZE,
    "training.batch_size": BATCH_SIZE,
    "training.steps": STEPS,
}
LEARNING_RATE, BETAS, PENALTY, DRIFT = 1e-3, (0.0, 0.99), 10.0, 0.001


def by_hand(
    networks: dict[str, nn.Module], noise: torch.Generator, device: torch.device, steps: int
) -> Callable[[], None]:
    """Return a function that does one step of a stage of so many."""
    generator, discriminator = (
        networks[role].to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        for role in ("generator", "discriminator")
    )
    generator_adam, discriminator_adam = (
        torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS, fused=True)
        for network in (generator, discriminator)
    )
    judged, made = list(discriminator.parameters()), list(generator.parameters())
    batches = InMemory(BATCH_SIZE, SIZE, device)
    done = 0

    def latents() -> Tensor:
        return torch.randn((BATCH_SIZE, LATENT_SIZE), generator=noise, device=device)

    def learn(weights: list[nn.Parameter], learns: bool) -> None:
        for weight in weights:
            weight.requires_grad_(learns)

    def step() -> None:
        nonlocal done
        lod = 1 - done / steps
        for network in (generator, discriminator):
            network.grow_to(lod)
        images = seen_at(batches.draw(done * BATCH_SIZE).images, lod)
        done += 1
        learn(made, False)
        learn(judged, True)
        with torch.no_grad():
            fakes = generator(latents())
        real, fake = discriminator(images).logits, discriminator(fakes).logits
        shares = torch.rand((BATCH_SIZE, 1, 1, 1), generator=noise, device=device)
        between = (shares * images + (1 - shares) * fakes).requires_grad_()
        scores = discriminator(between).logits.sum()
        (slopes,) = torch.autograd.grad(scores, between, create_graph=True)
        lengths = torch.linalg.vector_norm(slopes.flatten(1), dim=1)
        penalty = PENALTY * (lengths - 1).square().mean()
        drift = DRIFT * real.square().mean()
        torch.stack([fake.mean() - real.mean(), penalty, drift]).sum().backward()
        discriminator_adam.step()
        discriminator_adam.zero_grad(set_to_none=True)
        learn(made, True)
        learn(judged, False)
        (-discriminator(generator(latents())).logits.mean()).backward()
        generator_adam.step()
        generator_adam.zero_grad(set_to_none=True)

    return step


def measure(rounds: int, steps: int, device: str) -> dict[str, Any]:
    blueprint = draw_up(read_installed(), "progan", dict(SETTINGS))
    trainer = blueprint.build_trainer(blueprint.build_networks())
    processes = Processes(device)
    batches = InMemory(BATCH_SIZE, SIZE, processes.device)
    engine = Engine(trainer, batches, blueprint.training, processes=processes)
    number = [stage.name for stage in engine.stages].index(STAGE)
    begins = round(STEPS * number / len(engine.stages))
    engine.steps_done = begins
    # A loop by hand that began with the same weights and noise.
    networks = blueprint.build_networks()
    noise = torch.Generator(engine.device).manual_seed(engine.noise.generator.initial_seed())
    length = round(STEPS * (number + 1) / len(engine.stages)) - begins
    step = by_hand(networks, noise, engine.device, length)
    times = in_turns(engine.step, step, rounds, steps, engine.device, engine.check_finite)
    check_equal(engine.networks, networks)
    return {
        "machine": machine(engine.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "stage": engine.stage.name,
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
