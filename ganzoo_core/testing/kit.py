"""Every check for everything that a plugin has, as a list of cases, a report, or pytest tests."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ganzoo_core.errors import GanzooError, PluginError, UnknownNameError
from ganzoo_core.plugins import KINDS, Installed, Plugin, read_installed
from ganzoo_core.plugins.installed import normalised
from ganzoo_core.testing.report import NotApplicableError, NotKeptError, Report, Result

if TYPE_CHECKING:
    import pytest

Observer = Callable[[Result], None]
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Case:
    """One check of one subject."""

    check: str
    subject: str
    promise: str
    """What is checked, in one sentence."""
    run: Callable[[], None]

    @property
    def id(self) -> str:
        """Name of the case, such as `dcgan-resume_equals_straight_run`."""
        return f"{self.subject}-{self.check}"

    def result(self) -> Result:
        """Run the check and say what it found; whatever the plugin raises is a failure."""
        return self._tried()[0]

    def __call__(self) -> None:
        """Run the check as a pytest test.

        Raises:
            NotKeptError: the promise is broken, whatever the plugin raised being its cause.
        """
        import pytest

        result, cause = self._tried()
        if result.status == "not applicable":
            pytest.skip(result.sentence)
        if result.status == "failed":
            raise NotKeptError(result.sentence) from cause

    def _tried(self) -> tuple[Result, BaseException | None]:
        try:
            self.run()
        except NotApplicableError as reason:
            return Result(self.check, self.subject, "not applicable", str(reason)), None
        except (Exception, SystemExit) as error:
            return Result(self.check, self.subject, "failed", _sentence(error)), error
        return Result(self.check, self.subject, "passed", self.promise), None


def check_distribution(name_or_folder: str | Path, *, observe: Observer | None = None) -> Report:
    """Run every check on everything that a plugin has.

    Args:
        name_or_folder: an installed distribution, or the source folder of a plugin (with its
            pyproject.toml), which is checked in a process of its own and need not be installed.
        observe: told each result as soon as there is one.

    Raises:
        UnknownNameError: no such plugin is installed, and there is no such folder.
        PluginError: the folder is not that of a plugin.
    """
    name = str(name_or_folder)
    installed = read_installed()
    if not _plugins_named(installed, name) and Path(name).is_dir():
        from ganzoo_core.testing.source import check_source_folder

        return check_source_folder(Path(name), observe)
    results = []
    for case in cases_of(name):
        results.append(case.result())
        if observe:
            observe(results[-1])
    return Report(normalised(name), tuple(results))


def parametrize_with_checks(distribution: str) -> pytest.MarkDecorator:
    """Give a test function each check of an installed plugin as its argument `check`.

    A check that is not applicable is skipped with its reason.

    Raises:
        UnknownNameError: no such plugin is installed.
    """
    import pytest

    cases = cases_of(distribution)
    return pytest.mark.parametrize("check", [pytest.param(case, id=case.id) for case in cases])


def cases_of(distribution: str) -> list[Case]:
    """Return every check for everything that an installed plugin has.

    Raises:
        UnknownNameError: no such plugin is installed.
    """
    installed = read_installed()
    plugins = _plugins_named(installed, distribution)
    if not plugins:
        raise UnknownNameError("plugin", distribution, [p.distribution for p in installed.plugins])
    return [case for plugin in plugins for case in _cases_of_plugin(installed, plugin)]


def _cases_of_plugin(installed: Installed, plugin: Plugin) -> Iterator[Case]:
    from ganzoo_core.plugins import load_plugin
    from ganzoo_core.testing import checks
    from ganzoo_core.testing.subjects import ComponentSubject, VariantSubject

    name = plugin.distribution
    components: list[ComponentSubject] = []
    variants: list[VariantSubject] = []
    try:
        hooks = load_plugin(plugin)
    except PluginError:
        nothing = "first the plugin must have a valid manifest and import"
    else:
        nothing = "the plugin brings none"
        components = [
            ComponentSubject(installed, hooks, kind, entry.name)
            for kind in KINDS
            for entry in hooks.manifest.components.of(kind)
        ]
        variants = [VariantSubject(installed, plugin, entry) for entry in hooks.manifest.variants]
    yield from _cases(checks.OF_PLUGINS, {name: plugin}, name, nothing)
    yield from _cases(checks.OF_COMPONENTS, {c.title: c for c in components}, name, nothing)
    yield from _cases(checks.OF_VARIANTS, {v.title: v for v in variants}, name, nothing)


def _cases(
    checks: Sequence[Callable[[Subject], None]],
    subjects: Mapping[str, Subject],
    distribution: str,
    nothing: str,
) -> Iterator[Case]:
    for check in checks:
        promise = " ".join((check.__doc__ or check.__name__).split()).rstrip(".")
        promise = promise[:1].lower() + promise[1:]
        for title, subject in subjects.items():
            yield Case(check.__name__, title, promise, partial(check, subject))
        if not subjects:
            yield Case(check.__name__, distribution, promise, partial(_not_applicable, nothing))


def _not_applicable(reason: str) -> None:
    raise NotApplicableError(reason)


def _plugins_named(installed: Installed, name: str) -> list[Plugin]:
    return [plugin for plugin in installed.plugins if plugin.distribution == normalised(name)]


def _sentence(error: BaseException) -> str:
    """Return what is wrong in one sentence, and where it was raised if nobody foresaw it."""
    said = " ".join(str(error).split())
    if isinstance(error, NotKeptError | GanzooError):
        return said
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        "a plugin must not raise while it is checked, and this one raised "
        f"{type(error).__name__}: {said} ({place.filename}:{place.lineno})"
    )
