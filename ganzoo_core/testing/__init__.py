"""The conformance kit: what a plugin promises, as checks that anyone can run.

    from ganzoo_core.testing import parametrize_with_checks

    @parametrize_with_checks("ganzoo-plugin-dcgan")
    def test_contract(check):
        check()

The same checks are `ganzoo check DISTRIBUTION_OR_FOLDER`, `pytest --ganzoo-check DISTRIBUTION` and
`check_distribution`, which returns a report.
"""

from typing import TYPE_CHECKING, Any

from ganzoo_core.testing.kit import check_distribution, parametrize_with_checks
from ganzoo_core.testing.report import Report, Result

if TYPE_CHECKING:
    from ganzoo_core.testing.passes import count_passes

__all__ = ["Report", "Result", "check_distribution", "count_passes", "parametrize_with_checks"]


def __getattr__(name: str) -> Any:
    if name == "count_passes":
        from ganzoo_core.testing.passes import count_passes

        return count_passes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
