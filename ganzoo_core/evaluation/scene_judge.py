"""The judge of generated scenes: a classifier that says what an image of `scenes` shows.

    python -m ganzoo_core.evaluation.scene_judge --out scenes-convnet.safetensors

made the shipped weights with seed 0, which name all of 4,000 fresh scenes rightly, in a minute of
one CPU core's time. It learns from scenes of all combinations, drawn anew for each
step, clean as well as blurred and noisy, so that it knows those that a generator has never seen
and is not thrown off by what autoencoders do to edges. Since "a circle above a square" and "a
square below a circle" are one image, what it names is the upper or the left object first.
"""

import argparse
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.data.scenes import FACTORS, OPPOSITES, SIZES, all_scenes, draw
from ganzoo_core.evaluation.features import read_shipped
from ganzoo_core.nn.meta import without_initialisation

NAME = "scenes-convnet"
SHA256 = "0d1f5eaf0af459953296d479352108ce18292d4979a190f47fe63533d602081e"
IMAGE_SIZE = 32
STEPS, BATCH_SIZE, LEARNING_RATE = 600, 64, 3e-3
BLURRED, GRAIN = 0.4, 0.06
"""Share of the training images that are blurred, and the deviation of the noise on all."""


class SceneJudge(nn.Module):
    """Four convolutions, each halving the sides, and a row of logits for each factor."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 24), (24, 48), (48, 96), (96, 96)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.layers = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(96 * 2 * 2, 128), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(128, size) for size in SIZES)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return logits [N, size] of each factor, for images [N, 3, 32, 32] in [-1, 1]."""
        features = self.hidden(self.layers(images).flatten(1))
        return tuple(head(features) for head in self.heads)


def upper_or_left_first(factors: Tensor) -> Tensor:
    """Return factors [N, F] in which the upper or the left object is named first."""
    relation = factors[:, 3]
    swapped = factors[:, [0, 4, 5, 3, 1, 2]].clone()
    swapped[:, [1, 2]] -= 1
    swapped[:, [4, 5]] += 1
    swapped[:, 3] = torch.tensor([0, *(1 + opposite for opposite in OPPOSITES)])[relation]
    lower_or_right = (relation == 2) | (relation == 4)
    return torch.where(lower_or_right[:, None], swapped, factors)


def shown_by(images: Tensor, batch_size: int = 256) -> Tensor:
    """Return what images [N, 3, H, W] in [-1, 1] show: factors [N, F], int64."""
    judge = shipped_judge()
    seen = []
    with torch.no_grad():
        for chunk in images.split(batch_size):
            fitted = functional.interpolate(
                chunk.float(), (IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True
            )
            seen.append(torch.stack([logits.argmax(1) for logits in judge(fitted)], 1))
    return torch.cat(seen)


def agreement(shown: Tensor, asked: Tensor) -> dict[str, Tensor]:
    """Return whether each image shows what was asked: by factor, and as a whole (`all`).

    Args:
        shown: factors [N, F]
        asked: factors [N, F]

    Returns:
        float tensors [N] of 0 and 1; factors that were not asked for count as shown.
    """
    shown, asked = upper_or_left_first(shown), upper_or_left_first(asked)
    right = (shown == asked).float()
    alone = asked[:, 3] == 0
    right[alone, 4:] = 1.0  # where no second object was asked for, the relation says so
    return {"all": right.prod(1)} | dict(zip(FACTORS, right.unbind(1), strict=True))


@cache
def shipped_judge() -> SceneJudge:
    """Return the judge with its shipped weights."""
    from safetensors.torch import load

    content = read_shipped(Path(__file__).parent / "weights" / f"{NAME}.safetensors", SHA256)
    with without_initialisation():
        judge = SceneJudge()
    judge.load_state_dict(
        {key: value.float() for key, value in load(content).items()}, strict=False
    )
    return judge.requires_grad_(False).eval()


def train(seed: int = 0, steps: int = STEPS) -> SceneJudge:
    """Train a judge; the same seed gives the same one."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        judge = SceneJudge()
    numbers, spoiling = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        images, factors = _fresh(BATCH_SIZE, numbers)
        logits = judge(_spoilt(images, spoiling))
        loss = sum(
            (functional.cross_entropy(its, factors[:, n]) for n, its in enumerate(logits)),
            start=torch.zeros(()),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge.eval()


def accuracy(judge: SceneJudge, count: int = 4000, seed: int = 1) -> float:
    """Return the share of fresh scenes of which every factor is named rightly."""
    images, factors = _fresh(count, np.random.default_rng(seed))
    with torch.no_grad():
        named = torch.stack([logits.argmax(1) for logits in judge(images)], 1)
    return float(agreement(named, factors)["all"].mean())


def _fresh(count: int, numbers: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw scenes of all combinations, two in five of them with one kind of object."""
    scenes = np.array(all_scenes())
    alone = scenes[:, 3] == 0
    first = numbers.integers(alone.sum(), size=count)
    second = alone.sum() + numbers.integers((~alone).sum(), size=count)
    rows = scenes[np.where(numbers.random(count) < 0.4, first, second)]
    pixels = torch.from_numpy(draw(rows, IMAGE_SIZE, numbers)).permute(0, 3, 1, 2)
    return pixels.float() / 127.5 - 1, upper_or_left_first(torch.from_numpy(rows))


def _spoilt(images: Tensor, generator: torch.Generator) -> Tensor:
    blurred = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    chosen = torch.rand(len(images), 1, 1, 1, generator=generator) < BLURRED
    noise = GRAIN * torch.randn(images.shape, generator=generator)
    return torch.where(chosen, blurred, images) + noise


def main() -> None:
    """Train, write, and print the accuracy of what was written."""
    from safetensors.torch import save_file

    from ganzoo_core.files import sha256_of, whole_file

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    options: Any = parser.parse_args()
    began = time.process_time()
    judge = train(options.seed, options.steps)
    state = {
        name: tensor.half().contiguous()
        for name, tensor in judge.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    with whole_file(options.out) as partial:
        save_file(state, partial)
        partial.chmod(0o644)
    judge.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)
    print(
        f"{accuracy(judge):.4f} of fresh scenes named in full, after {options.steps} steps in "
        f"{time.process_time() - began:.0f} s of CPU time; sha256 {sha256_of(options.out)}"
    )


if __name__ == "__main__":
    main()
