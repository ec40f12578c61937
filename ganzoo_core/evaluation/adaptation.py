"""How well a classifier does on two domains: the final score of an adaptation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganzoo_core.data import domains_of, scored_split
from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.evaluating import evaluate
from ganzoo_core.evaluation.result import Evaluation, Result
from ganzoo_core.model import Model

METRIC = "classification-error"
ALL = 2**31
"""Images to judge at most, which is all of any test set."""


def evaluate_domains(
    model: Model, data: str, *, data_root: Path | None = None, **arguments: Any
) -> Evaluation:
    """Measure a model on the target's test set, then on the source's, with all arguments alike.

    A set without a test set of its own is measured on its training images, and the result says so.
    """
    domains = domains_of(data)
    assert domains is not None
    results: list[Result] = []
    for name in (domains.target_test or domains.target, domains.source):
        split = scored_split(name, data_root)
        measured = evaluate(model, name, split=split, data_root=data_root, **arguments)
        results += measured.results
    return Evaluation(measured.model, measured.weights_hash, tuple(results))


def tell_final_score(
    model: Model, data: str, data_root: Path | None, tell: Callable[[str], None]
) -> None:
    """Measure what an adaptation has come to, record it beside the run, and say it.

    The labels of the target serve here for the first time. Without any there is no score.
    """
    try:
        found = evaluate_domains(model, data, data_root=data_root, metrics=[METRIC], count=ALL)
    except DataError as error:
        tell(f"there is no final score: {error}")
        return
    for domain, result in zip(("target", "source"), found.results, strict=True):
        tell(
            f"{domain}: {100 - result.value:.2f} % of {result.real} images of {result.data} "
            f"({result.split}) are named rightly"
        )
