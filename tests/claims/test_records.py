"""Records and where they are shown: which count, which do not, and what looking costs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import FakePlugins, Ganzoo, GanzooHere, entry, manifest

from ganzoo_core.errors import PluginError
from ganzoo_core.plugins.schema import check_manifest

CLAIM = {
    "name": "fid-mnist",
    "metric": "fid",
    "data": "mnist",
    "value": 9.8,
    "spread": 0.9,
    "better": "lower",
    "source": "table 2",
    "full": {"epochs": 20},
    "small": {"steps": 3000, "seeds": 2},
}

RECORD = {
    "schema": 1,
    "variant": "somebodys-toy/toy",
    "plugin_version": "1.0",
    "claim": "fid-mnist",
    "metric": "fid",
    "figure": "FID[mnist-convnet]",
    "data": "idx:mnist",
    "fingerprint": "sha256:0",
    "paper": 9.8,
    "paper_spread": 0.9,
    "better": "lower",
    "size": "small",
    "budget": "3,000 steps, 2 seeds",
    "run": {"steps": 3000},
    "steps": 3000,
    "batch_size": 64,
    "share": 0.16,
    "seeds": [
        {"seed": 0, "value": 31.0, "failure": "", "seconds": 100.0},
        {"seed": 1, "value": 33.0, "failure": "", "seconds": 100.0},
    ],
    "mean": 32.0,
    "deviation": 1.4142,
    "verdict": "not reached",
    "processors": 2,
    "threads": 1,
    "device": "cpu",
    "torch": "2.15.0",
    "date": "2026-11-21T12:00:00+00:00",
    "command": "ganzoo reproduce toy --small --claim fid-mnist",
    "seconds": 200.0,
}

Write = Callable[..., Path]


@pytest.fixture
def package(plugins: FakePlugins) -> Path:
    return plugins.install(content=manifest(entry(claims=[CLAIM])))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The user's folder of records."""
    return tmp_path / "ganzoo-data" / "records"


def write(records: Path, content: Any = None, *, size: str = "small", **changes: Any) -> Path:
    file = records / "toy" / f"fid-mnist-{size}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        content = RECORD | {"size": size} | changes
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def rows(ganzoo_here: GanzooHere) -> list[str]:
    said = ganzoo_here("list", "toy", "--claims")
    assert said.code == 0, said.err
    return said.out.splitlines()


def test_what_was_not_measured_is_shown_as_not_measured(
    package: Path, ganzoo_here: GanzooHere
) -> None:
    header, row = rows(ganzoo_here)
    assert header.split() == ["VARIANT", "CLAIM", "PAPER", "MEASURED", "BUDGET", "VERDICT"]
    assert row.split()[:5] == ["toy", "fid-mnist", "9.8", "±", "0.9"]
    assert row.count("not measured") == 2
    (described,) = ganzoo_here("list", "toy", "--claims", "--json").json["claims"]
    assert (described["verdict"], described["record"]) == ("not measured", None)
    assert described["claim"]["value"] == 9.8


def test_a_record_is_shown_with_its_budget(
    package: Path, own: Path, ganzoo_here: GanzooHere
) -> None:
    write(own)
    (row,) = rows(ganzoo_here)[1:]
    budget = "small: 3,000 steps, 2 seeds, 16 % of the full budget"
    assert f"32.0 ± 1.4 [mnist-convnet]  {budget}  not reached" in row
    (described,) = ganzoo_here("list", "toy", "--claims", "--json").json["claims"]
    assert described["record"]["mean"] == 32.0
    assert "32.0 ± 1.4 [mnist-convnet] (small: 3,000 steps" in ganzoo_here("info", "toy").out


def test_both_budgets_are_shown_where_both_were_measured(
    package: Path, own: Path, ganzoo_here: GanzooHere
) -> None:
    write(own)
    write(own, size="full", budget="20 epochs, 3 seeds", share=1.0, verdict="reproduced")
    full, small = rows(ganzoo_here)[1:]
    assert "full: 20 epochs, 3 seeds " in full and full.endswith("reproduced")
    assert small.endswith("not reached")


@pytest.mark.parametrize("newer", ["own", "shipped"])
def test_the_latest_of_the_users_record_and_the_plugins_counts(
    package: Path, own: Path, ganzoo_here: GanzooHere, newer: str
) -> None:
    dates = {"own": "2026-01-01T00:00:00+00:00", "shipped": "2026-01-01T00:00:00+00:00"}
    dates[newer] = "2026-02-01T00:00:00+00:00"
    write(own, mean=1.0, deviation=None, date=dates["own"])
    write(package / "records", mean=2.0, deviation=None, date=dates["shipped"])
    (row,) = rows(ganzoo_here)[1:]
    assert row.split()[5] == ("1" if newer == "own" else "2")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not valid JSON"),
        ("[1]", "no record of ganzoo"),
        ("[" * 100_000, "not valid JSON"),
        ('{"schema": 2}', "another version of ganzoo"),
        ('{"schema": 1}', "no record of ganzoo"),
        (RECORD | {"mean": "32"}, "no record of ganzoo"),
        (RECORD | {"mean": True}, "no record of ganzoo"),
        (RECORD | {"date": 7}, "no record of ganzoo"),
        (RECORD | {"verdict": "excellent"}, "no record of ganzoo"),
        (RECORD | {"seeds": [{"seed": "0"}]}, "no record of ganzoo"),
        (RECORD | {"seeds": [{"seed": 0, "value": []}]}, "no record of ganzoo"),
        (RECORD | {"paper": 9.7}, "another version of the claim"),
        (RECORD | {"metric": "kid"}, "another version of the claim"),
        (RECORD | {"variant": "others/toy"}, "it is of others/toy"),
    ],
)
def test_a_record_that_is_no_use_is_left_out_with_a_note(
    package: Path, own: Path, ganzoo_here: GanzooHere, content: Any, said: str
) -> None:
    file = write(own, content)
    _, row, note = rows(ganzoo_here)
    assert row.count("not measured") == 2
    assert note.startswith(f"left out {file}: ") and said in note
    assert len(ganzoo_here("list", "toy", "--claims", "--json").json["left_out"]) == 1
    assert note in ganzoo_here("info", "toy").out
    write(package / "records")
    assert rows(ganzoo_here)[1].endswith("not reached")


def test_looking_at_claims_imports_neither_torch_nor_pydantic(
    package: Path, own: Path, ganzoo: Ganzoo
) -> None:
    write(own)
    said = ganzoo.python(
        "-c",
        "import sys; from ganzoo_core.cli import main; code = main(['list', '--claims'])\n"
        "print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])\n"
        "sys.exit(code)",
        GANZOO_DATA=str(own.parent),
    )
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "[]"
    assert "32.0 ± 1.4" in said.out


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {}},
        {"claims": ["fid"]},
        {"claims": [CLAIM | {"value": "9.8"}]},
        {"claims": [CLAIM | {"metric": None}]},
        {"claims": [CLAIM | {"small": 3000}]},
        {"claims": [CLAIM | {"small": {}}]},
        {"claims": [CLAIM | {"small": {"steps": "many"}}]},
        {"claims": [CLAIM | {"small": {"steps": 1, "settings": []}}]},
    ],
)
def test_a_plugin_whose_claims_cannot_be_read_is_left_out(
    plugins: FakePlugins, ganzoo_here: GanzooHere, changes: dict[str, Any]
) -> None:
    plugins.install(content=manifest(entry(**changes)))
    assert ganzoo_here("list", "--claims").code == 0
    assert "left out: somebodys-toy 1.0" in ganzoo_here("list").out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"small": {}}, "exactly one of steps and epochs"),
        ({"small": {"steps": 1, "epochs": 1}}, "exactly one of steps and epochs"),
        ({"small": {"steps": 0}}, "greater than or equal to 1"),
        ({"small": {"epochs": 0}}, "greater than 0"),
        ({"small": {"steps": 1, "seeds": 0}}, "greater than or equal to 1"),
        ({"small": {"steps": 1, "split": "validation"}}, "'train' or 'test'"),
        ({"small": {"steps": 1, "settings": {"training.seed": 3}}}, "training.seed is no setting"),
        ({"small": None}, "without a small run must say why"),
        ({"better": "larger"}, "'lower' or 'higher'"),
        ({"value": float("nan")}, "finite"),
        ({"spread": -1}, "greater than or equal to 0"),
        ({"name": "FID on MNIST"}, "pattern"),
        ({"source": ""}, "at least 1 character"),
        ({"command": "ganzoo train"}, "not permitted"),
    ],
)
def test_what_a_claim_cannot_say_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError, match=r"malformed at variants\.0\.claims") as raised:
        check_manifest(manifest(entry(claims=[CLAIM | changes])), "here")
    assert said in str(raised.value)


def test_two_claims_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="two claims are called fid-mnist"):
        check_manifest(manifest(entry(claims=[CLAIM, CLAIM])), "here")
    check_manifest(manifest(entry(claims=[CLAIM, CLAIM | {"name": "other"}])), "here")
