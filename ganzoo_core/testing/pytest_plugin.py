"""`pytest --ganzoo-check DISTRIBUTION`: a plugin's checks as test items, without any test file.

pytest imports this module in every environment that has ganzoo-core, whether or not the option is
given, so it imports nothing else until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.testing.kit import Case


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("ganzoo").addoption(
        "--ganzoo-check",
        action="append",
        default=[],
        metavar="DISTRIBUTION",
        help="run ganzoo's conformance checks on this installed plugin; may be given several times",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect nothing else unless it was asked for by name."""
    asked_for_files = config.args_source is pytest.Config.ArgsSource.ARGS
    if config.getoption("--ganzoo-check") and not asked_for_files:
        config.args = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks, before -k and -m choose among all items."""
    for distribution in config.getoption("--ganzoo-check"):
        from ganzoo_core.errors import GanzooError
        from ganzoo_core.testing.kit import cases_of

        try:
            cases = cases_of(distribution)
        except GanzooError as error:
            raise pytest.UsageError(str(error)) from None
        items += [
            CheckItem.from_parent(session, name=f"{distribution}::{case.id}", case=case)
            for case in cases
        ]


class CheckItem(pytest.Item):
    """One check of one subject."""

    def __init__(self, *, case: Case, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.case = case

    def runtest(self) -> None:
        """Run the check: fail with its sentence, or skip with its reason."""
        self.case()

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> str:
        """Show the sentence alone; what the plugin raised is in it."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the item in the report."""
        return self.path, None, self.name
