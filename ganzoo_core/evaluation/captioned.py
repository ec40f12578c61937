"""How well images of captions show what was asked, and how well codes are used."""

from collections.abc import Callable

import torch
from torch import Tensor

from ganzoo_core.components import Generator
from ganzoo_core.data import ImageData
from ganzoo_core.data.scenes import FACTORS
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.drawing import eight_bit
from ganzoo_core.evaluation.encoded import encoder_of
from ganzoo_core.evaluation.evidence import Evidence
from ganzoo_core.evaluation.metrics.common import Estimate
from ganzoo_core.model import Model
from ganzoo_core.text import captions_of

CANDIDATES = 16
"""Images that are drawn for each caption where the best of them is kept."""


def has_codes(model: Model) -> bool:
    """Whether a model's codes are whole numbers."""
    return any(
        isinstance(network, Generator) and network.discrete for network in model.networks.values()
    )


def used_codes(evidence: Evidence) -> tuple[Tensor, int]:
    """Return how often each code stands for a part of `count` real images, and of how many images.

    Raises:
        UnsupportedError: the model's codes are no whole numbers.
    """
    model = evidence.model
    encoder_of(model)
    codes = next((its.discrete for its in model.networks.values() if isinstance(its, Generator)), 0)
    if not codes:
        raise UnsupportedError(
            f"{model.variant} has no codes to count, so code-perplexity does not apply; leave it "
            "out of --metrics"
        )
    chosen = evidence.real_order[: evidence.count]
    counts = torch.zeros(codes, dtype=torch.int64)
    for numbers in chosen.split(evidence.batch_size):
        images = evidence.real_images(numbers).to(model.device)
        grid = model.encode(images, batch_size=evidence.batch_size)
        counts += torch.bincount(grid.flatten(), minlength=codes)
        if evidence.progress:
            evidence.progress("encoded images", int(counts.sum()) // grid[0].numel(), len(chosen))
    return counts, len(chosen)


def code_perplexity(counts: Tensor) -> float:
    """Return how many codes, all as frequent, would be as various as codes used `counts` [K]."""
    shares = counts.double() / counts.sum()
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))


def judged_by_class(data: ImageData) -> bool:
    """Whether an image of a caption is right where it shows the class that the real one shows."""
    return data.factor_names != FACTORS and data.labels is not None


def faithfulness(evidence: Evidence, *, candidates: int = 1) -> dict[str, tuple[Estimate, int]]:
    """Return the share of images that show their caption, of all that it says and of each factor.

    The captions are those of `count` images of the data's split, each drawn once, or the best of
    some candidates by the model's reranker. A classifier says what the images show; what it says of
    the real images and of their reconstructions is how much can be reached at all.

    Returns:
        estimates by figure, each with how many images were judged.

    Raises:
        UnsupportedError: the model takes no text, or has no reranker where it is asked, or the
            features cannot tell the classes apart that captions name.
        DataError: it is not known what the images show.
    """
    model, data = evidence.model, evidence.data
    if not model.takes_text:
        raise UnsupportedError(
            f"{model.variant} takes no text, so faithfulness does not apply; leave it out of "
            "--metrics"
        )
    chosen = evidence.real_order[: evidence.count]
    agreed = _judge(evidence, chosen)
    captions = captions_of(data)
    drawn = _drawn(evidence, [captions[number] for number in chosen.tolist()], candidates)
    found = agreed(eight_bit(drawn, f"image(s) of {model.variant}"))
    name = "faithfulness" if candidates == 1 else f"faithfulness of the best of {candidates}"
    figures = {name if key == "all" else f"{name}: {key}": its for key, its in found.items()}
    if candidates == 1:
        real = evidence.real_images(chosen)
        figures["faithfulness of real images"] = agreed(real)["all"]
        if "reconstruct" in model.verbs:
            rebuilt = model.reconstruct(real, batch_size=evidence.batch_size)
            figures["faithfulness of reconstructions"] = agreed(rebuilt)["all"]
    return {
        name: (Estimate(its.mean().item(), its.std().item() / len(its) ** 0.5), len(its))
        for name, its in figures.items()
    }


def _judge(evidence: Evidence, chosen: Tensor) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return what says whether images show the captions of those that were chosen.

    It takes images [N, C, H, W] in [-1, 1] and returns float tensors [N] of 0 and 1, one for all
    that a caption says (`all`), and one for each factor of a scene.
    """
    from ganzoo_core.evaluation.scene_judge import agreement, shown_by

    data = evidence.data
    if judged_by_class(data):
        evidence.check_classes()
        assert data.labels is not None
        labels = torch.tensor(data.labels[chosen.numpy()])
        return lambda images: {"all": (evidence.named(images) == labels).float()}
    if data.factor_names != FACTORS or data.factors is None:
        raise DataError(
            f"it is not known what the images of {data.name} show, which this metric compares "
            "with; take --data scenes, or images with classes for captions"
        )
    asked = torch.tensor(data.factors[chosen.numpy()])
    return lambda images: agreement(shown_by(images), asked)


def _drawn(evidence: Evidence, texts: list[str], candidates: int) -> Tensor:
    """Draw an image of each caption, or several of which the best one is kept."""
    model, batch_size = evidence.model, evidence.batch_size
    each = [text for text in texts for _ in range(candidates)]

    def told(done: int, total: int) -> None:
        if evidence.progress:
            evidence.progress("drew images of captions", done, total)

    images = model.sample(
        len(each), seed=evidence.seed, text=each, batch_size=batch_size, progress=told
    )
    if candidates == 1:
        return images
    scores = model.score(images, each, batch_size=batch_size).view(-1, candidates)
    best = torch.arange(len(texts)) * candidates + scores.argmax(1)
    return images[best]
