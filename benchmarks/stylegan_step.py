"""What the engine and the model cost StyleGAN: a step and a sample beside loops written by hand.

    python benchmarks/stylegan_step.py [--json] [--threads N] [--device cuda]

StyleGAN at 32×32 without growing: 64 feature maps at the lowest sizes and 16 at the highest,
batches of 16, style mixing, R1 once every 16 steps. The loop by hand uses the same networks and has
all that makes it fast: a discriminator that is frozen while the generator learns, fused Adam,
channels_last, no logging and no checks. A block is 16 steps, so that each has one turn of R1;
blocks take turns as in `dcgan_step.py`, and at the end the weights of both must be equal bit for
bit. Sampling draws 64 images a block, truncated, beside the same network called once.
"""

from collections.abc import Callable
from typing import Any

import torch
from side_by_side import (
    PROMISE,
    InMemory,
    Times,
    check_equal,
    compared,
    in_turns,
    machine,
    run,
    timed,
)
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import JointNoise, drawing_from
from ganzoo_core.model import Model
from ganzoo_core.plugins import read_installed
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.processes import Processes

SIZE, BATCH_SIZE, LATENT_SIZE, EVERY = 32, 16, 64, 16
SETTINGS = {
    "image_size": SIZE,
    "channels": 3,
    "maps": [64, 64, 32, 16],
    "latent_size": LATENT_SIZE,
    "style_size": LATENT_SIZE,
    "mapping_width": LATENT_SIZE,
    "training.batch_size": BATCH_SIZE,
    f"trainer.batch_sizes.{SIZE}": BATCH_SIZE,
    "trainer.start_size": SIZE,
    "training.ema": 0.0,
    "training.steps": 100_000,
    "r1.every": EVERY,
}
LEARNING_RATE, BETAS, GAMMA = 1e-3, (0.0, 0.99), 10.0
SHARE = EVERY / (EVERY + 1)


def by_hand(
    networks: dict[str, nn.Module], noise: JointNoise, device: torch.device
) -> Callable[[], None]:
    """Return a function that does one step."""
    generator, discriminator = (
        networks[role].to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        for role in ("generator", "discriminator")
    )
    slowed = tuple(beta**SHARE for beta in BETAS)
    adam_g = torch.optim.Adam(generator.parameters(), lr=LEARNING_RATE, betas=BETAS, fused=True)
    adam_d = torch.optim.Adam(
        discriminator.parameters(), lr=LEARNING_RATE * SHARE, betas=slowed, fused=True
    )
    judged, made = list(discriminator.parameters()), list(generator.parameters())
    batches = InMemory(BATCH_SIZE, SIZE, device)
    done = 0

    def drawn() -> Tensor:
        images: Tensor = generator(noise.normal(BATCH_SIZE, LATENT_SIZE))
        return images

    def learn(weights: list[nn.Parameter], learns: bool) -> None:
        for weight in weights:
            weight.requires_grad_(learns)

    def move(adam: torch.optim.Optimizer, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        adam.zero_grad(set_to_none=True)

    def step() -> None:
        nonlocal done
        images = batches.draw(done * BATCH_SIZE).images
        learn(made, False)
        learn(judged, True)
        with torch.no_grad():
            fakes = drawn()
        real, fake = discriminator(images).logits, discriminator(fakes).logits
        move(adam_d, softplus(-real).mean() + softplus(fake).mean())
        if done % EVERY == 0:
            seen = images.detach().requires_grad_()
            (slopes,) = torch.autograd.grad(
                discriminator(seen).logits.sum(), seen, create_graph=True
            )
            penalty = GAMMA / 2 * slopes.float().flatten(1).square().sum(1).mean()
            move(adam_d, penalty * EVERY)
        learn(made, True)
        learn(judged, False)
        move(adam_g, softplus(-discriminator(drawn()).logits).mean())
        done += 1

    return step


def measure(rounds: int, steps: int, device: str) -> dict[str, Any]:
    blueprint = draw_up(read_installed(), "stylegan", dict(SETTINGS))
    trainer = blueprint.build_trainer(blueprint.build_networks())
    processes = Processes(device)
    engine = Engine(
        trainer,
        InMemory(BATCH_SIZE, SIZE, processes.device),
        blueprint.training,
        processes=processes,
    )
    # A loop by hand that began with the same weights and noise.
    networks = blueprint.build_networks()
    generator = torch.Generator(engine.device).manual_seed(engine.noise.generator.initial_seed())
    noise = JointNoise(generator)
    step = by_hand(networks, noise, engine.device)
    with drawing_from(noise, *networks.values()):
        training = in_turns(engine.step, step, rounds, steps, engine.device)
    engine.check_finite()
    check_equal(engine.networks, networks)
    sampling = measure_sampling(Model(blueprint, networks), rounds, engine.device)
    return {
        "machine": machine(engine.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "blocks": rounds,
        "steps per block": steps,
        **{f"step, {name}": its for name, its in compared("wall", training).items()},
        **{f"step, {name}": its for name, its in compared("processor", training).items()},
        **{f"64 images, {name}": its for name, its in compared("processor", sampling).items()},
        "promised at most per cent": PROMISE,
        "forward-equivalents per step": dict(engine.trainer.passes()),
        "weights equal bit for bit": True,
    }


def measure_sampling(model: Model, rounds: int, device: torch.device) -> dict[str, list[Times]]:
    """Time 64 truncated images by the model and by its network alone."""
    generator = model.mapped()
    noise = JointNoise(torch.Generator(device).manual_seed(0))

    def alone() -> None:
        with torch.no_grad():
            styles = generator.map(noise.normal(64, LATENT_SIZE))
            generator.synthesize(generator.truncated(styles, 0.7)).cpu()

    def by_model() -> None:
        model.sample(64, truncation=0.7)

    generator.eval()
    times: dict[str, list[Times]] = {"engine": [], "by hand": []}
    for number in range(rounds + 1):
        took = timed(by_model, 1, device)
        with drawing_from(noise, generator):
            other = timed(alone, 1, device)
        if number:
            times["engine"].append(took)
            times["by hand"].append(other)
    return times


if __name__ == "__main__":
    run(measure, __doc__, rounds=10, steps=EVERY)
