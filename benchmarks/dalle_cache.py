"""How much faster DALL-E draws with its key-value cache than by computing all anew.

    python benchmarks/dalle_cache.py

draws the same images of captions both ways, with and without guidance, and prints the times. The
codes must be the same; by the project's target a cache is at least 8 times as fast at 256 codes.
"""

import argparse
import statistics
import time

import torch
from ganzoo_plugin_dalle.config import TransformerConfig
from ganzoo_plugin_dalle.transformer import Transformer

from ganzoo_core.components import Drawing, ImageNoise

SIDE, TEXT_LENGTH, VOCABULARY, CODES = 16, 32, 1000, 1024


def network(width: int, layers: int) -> Transformer:
    torch.manual_seed(0)
    config = TransformerConfig(
        image_size=SIDE * 4,
        groups=3,
        codes=CODES,
        vocabulary=VOCABULARY,
        text_length=TEXT_LENGTH,
        width=width,
        layers=layers,
        heads=width // 32,
    )
    return Transformer(config).eval().requires_grad_(False)


def seconds(
    prior: Transformer, captions: torch.Tensor, drawing: Drawing
) -> tuple[float, torch.Tensor]:
    began = time.perf_counter()
    with torch.no_grad():
        codes = prior.draw(
            len(captions), ImageNoise(0, range(len(captions))), captions, drawing=drawing
        )
    return time.perf_counter() - began, codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    prior = network(options.width, options.layers)
    generator = torch.Generator().manual_seed(0)
    captions = torch.randint(1, VOCABULARY, (options.images, TEXT_LENGTH), generator=generator)
    print(
        f"{options.images} images of {SIDE * SIDE} codes, {options.layers} layers of width "
        f"{options.width}, {torch.get_num_threads()} thread(s), median of {options.repeats}"
    )
    for guidance in (1.0, 3.0):
        times: dict[bool, float] = {}
        drawn: dict[bool, torch.Tensor] = {}
        for cache in (True, False):
            drawing = Drawing(guidance=guidance, cache=cache)
            runs = [seconds(prior, captions, drawing) for _ in range(options.repeats)]
            times[cache], drawn[cache] = statistics.median(run[0] for run in runs), runs[0][1]
        same = "the same codes" if torch.equal(drawn[True], drawn[False]) else "OTHER CODES"
        print(
            f"guidance {guidance:g}: {times[True]:.2f} s with the cache, {times[False]:.2f} s "
            f"without, {times[False] / times[True]:.1f} times as fast; {same}"
        )


if __name__ == "__main__":
    main()
