"""Metrics one can trust: each number with its features, counts, filter and seed.

`ganzoo_core.evaluate` measures a model; `ganzoo_core.evaluation.metrics` holds the mathematics on
features, images, codes and likelihoods that a caller has; `ganzoo_core.evaluation.features` the
networks in whose eyes images are compared.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo_core.evaluation.evaluating import evaluate
    from ganzoo_core.evaluation.features import Embedded, Features, find_features
    from ganzoo_core.evaluation.measures import MEASURES
    from ganzoo_core.evaluation.result import (
        Evaluation,
        Result,
        read_evaluation,
        write_evaluation,
    )

__all__ = [
    "MEASURES",
    "Embedded",
    "Evaluation",
    "Features",
    "Result",
    "evaluate",
    "find_features",
    "read_evaluation",
    "write_evaluation",
]

_HOME_OF = {
    "MEASURES": "measures",
    "Embedded": "features",
    "Evaluation": "result",
    "Features": "features",
    "Result": "result",
    "evaluate": "evaluating",
    "find_features": "features",
    "read_evaluation": "result",
    "write_evaluation": "result",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
