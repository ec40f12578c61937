"""The ways to run the checks: a report, a parametrised test, pytest's option, a source folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from testing.toy import DISTRIBUTION, PACKAGE, write_installed, write_source

from ganzoo_core.errors import PluginError, UnknownNameError
from ganzoo_core.testing import Report, Result, check_distribution, parametrize_with_checks

Install = Callable[..., None]

OUT_OF_RANGE = """

class Loud(ToyGenerator):
    def forward(self, latents, labels=None):
        return super().forward(latents) * 3

ToyGenerator = Loud
"""


@parametrize_with_checks("ganzoo-plugin-gan")
def test_gan_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks("ganzoo-plugin-dcgan")
def test_dcgan_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


def test_a_report_reads_as_text_and_as_json() -> None:
    report = Report(
        "ganzoo-plugin-x",
        (
            Result("loss_falls", "x", "passed", "each phase's loss falls"),
            Result("shapes_and_range", "generator/x", "failed", "images must be in [-1, 1]"),
            Result("generator_exports", "x", "not applicable", "the variant keeps no generator"),
        ),
    )
    assert report.to_text().splitlines() == [
        "passed          x: loss_falls (each phase's loss falls)",
        "failed          generator/x: shapes_and_range (images must be in [-1, 1])",
        "not applicable  x: generator_exports (the variant keeps no generator)",
        "ganzoo-plugin-x: 1 passed, 1 failed, 1 not applicable",
    ]
    described = json.loads(json.dumps(report.to_json()))
    assert described["counts"] == {"passed": 1, "failed": 1, "not applicable": 1}
    assert described["results"][1]["sentence"] == "images must be in [-1, 1]"
    assert [result.check for result in report.failed] == ["shapes_and_range"]
    assert not report.passed
    assert Report("ganzoo-plugin-x", report.results[::2]).passed


def test_an_observer_sees_each_result_as_it_comes(install: Install) -> None:
    install()
    seen: list[Result] = []
    report = check_distribution("Ganzoo_Plugin.Toy", observe=seen.append)
    assert tuple(seen) == report.results
    assert report.distribution == DISTRIBUTION


def test_a_misspelt_distribution_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ganzoo-plugin-dcgan'"):
        check_distribution("ganzoo-plugin-dcgna")
    with pytest.raises(UnknownNameError, match="did you mean 'ganzoo-plugin-dcgan'"):
        parametrize_with_checks("ganzoo-plugin-dcgna")


def test_a_source_folder_is_checked_without_being_installed(tmp_path: Path) -> None:
    source = tmp_path / "checkout"
    write_source(source, parts=OUT_OF_RANGE, hooks="\nprint('what a plugin prints is no result')\n")

    report = check_distribution(source)

    assert report.distribution == DISTRIBUTION
    assert {(r.check, r.subject) for r in report.failed} == {("shapes_and_range", "generator/toy")}
    assert PACKAGE not in sys.modules


def test_a_source_folder_wins_over_what_is_installed_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_installed(tmp_path / "site", parts=OUT_OF_RANGE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    write_source(tmp_path / "checkout", layout=".")
    assert check_distribution(tmp_path / "checkout").failed == ()


def test_a_plugin_that_ends_the_process_fails(tmp_path: Path) -> None:
    write_source(tmp_path / "checkout", parts="\nimport os\nos._exit(3)\n")
    report = check_distribution(tmp_path / "checkout")
    assert report.failed[-1].check == "checks_finish"
    assert "exit code 3" in report.failed[-1].sentence


@pytest.mark.parametrize(
    ("pyproject", "sentence"),
    [
        (None, "has no pyproject.toml"),
        ("[project", "does not describe a project"),
        ("[tool.x]\n", "does not describe a project"),
        ("[project]\nname = 3\n", "does not describe a project"),
        ('[project]\nname = "x"\n', "declares nothing under"),
        (
            '[project]\nname = "x"\n[project.entry-points."ganzoo.plugins"]\nx = "lost.hooks"\n',
            "has no package lost",
        ),
    ],
)
def test_a_folder_that_is_no_plugin_says_what_is_missing(
    tmp_path: Path, pyproject: str | None, sentence: str
) -> None:
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    with pytest.raises(PluginError) as caught:
        check_distribution(tmp_path)
    assert sentence in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_pytest_collects_the_checks_without_a_test_file(tmp_path: Path) -> None:
    write_installed(tmp_path / "site", parts=OUT_OF_RANGE)
    (tmp_path / "empty").mkdir()

    ran = pytest_in(tmp_path / "empty", tmp_path / "site", "--ganzoo-check", DISTRIBUTION)

    assert ran.returncode == 1
    assert "1 failed" in ran.stdout
    assert f"{DISTRIBUTION}::generator/toy-shapes_and_range" in ran.stdout
    assert "must be in [-1, 1]" in ran.stdout
    assert "Traceback" not in ran.stdout


def test_pytest_chooses_among_the_checks_by_name(tmp_path: Path) -> None:
    write_installed(tmp_path / "site")
    (tmp_path / "test_other.py").write_text("def test_other():\n    assert False\n")
    arguments = ("--ganzoo-check", DISTRIBUTION, "-k", "config_round_trips", "-v")

    ran = pytest_in(tmp_path, tmp_path / "site", *arguments)

    assert ran.returncode == 0, ran.stdout
    assert "6 passed" in ran.stdout
    assert "test_other" not in ran.stdout


def test_pytest_refuses_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    ran = pytest_in(tmp_path, tmp_path, "--ganzoo-check", "ganzoo-plugin-dcgna")
    assert ran.returncode == 4
    assert "did you mean 'ganzoo-plugin-dcgan'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_parametrised_test_skips_what_is_not_applicable(tmp_path: Path) -> None:
    def without_export(manifest: dict[str, list[dict[str, str]]]) -> None:
        manifest["variants"][0]["no_export"] = "it draws noise"

    write_installed(tmp_path / "site", change=without_export)
    (tmp_path / "test_contract.py").write_text(
        "from ganzoo_core.testing import parametrize_with_checks\n\n"
        f"@parametrize_with_checks('{DISTRIBUTION}')\n"
        "def test_contract(check):\n    check()\n"
    )
    ran = pytest_in(tmp_path, tmp_path / "site", "-k", "toy-generator_exports", "-v", "-rs")
    assert ran.returncode == 0, ran.stdout
    assert "test_contract[toy-generator_exports] SKIPPED" in ran.stdout
    assert "the manifest says: it draws noise" in ran.stdout


def test_the_kit_and_the_pytest_plugin_import_nothing_heavy() -> None:
    source = (
        "import sys, ganzoo_core.testing, ganzoo_core.testing.pytest_plugin\n"
        "print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def pytest_in(folder: Path, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, which sees what is installed in `site`."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
