"""A trained model on one page: what it is, what it draws, and what is known of it.

`ganzoo_core.report` writes the page; `drawn_up` gathers what stands on it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo_core.evaluation.report.content import Report
    from ganzoo_core.evaluation.report.gathering import drawn_up
    from ganzoo_core.evaluation.report.writing import check_format, write

__all__ = ["Report", "check_format", "drawn_up", "write"]

_HOME_OF = {
    "Report": "content",
    "check_format": "writing",
    "drawn_up": "gathering",
    "write": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
