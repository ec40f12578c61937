"""Comparing variants: the same terms for all, and everything that happened is said."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from comparison.conftest import TINY
from fake_plugins import FakePlugins, GanzooHere
from PIL import Image
from safetensors.torch import load_file

import ganzoo_core as zoo
from ganzoo_core.errors import ConfigError, GanzooError, InterruptedTrainingError, RunError
from ganzoo_core.evaluation.comparison.summary import Comparison
from ganzoo_core.training.run import Observer

Tiny = Callable[..., dict[str, Any]]
FID = "FID[mnist-convnet]"


class Notes(Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def noted(self, message: str) -> None:
        self.said.append(message)


def settings_of(comparison: Comparison, name: str) -> dict[str, Any]:
    return comparison.entrant(name).settings


def weights_of(comparison: Comparison) -> dict[str, bytes]:
    return {
        str(file.relative_to(comparison.folder)): file.read_bytes()
        for file in sorted(comparison.folder.glob("runs/*/model/model.safetensors"))
    }


# The same terms for all


def test_a_comparison_runs_each_variant_with_each_seed_and_ranks_them(tiny: Tiny) -> None:
    found = zoo.compare(["gan", "dcgan"], "digits", **tiny(metrics=None))
    assert sorted(path.name for path in (found.folder / "runs").iterdir()) == [
        *("dcgan-seed0", "dcgan-seed1", "gan-seed0", "gan-seed1")
    ]
    first, second = found.rows
    assert (first.rank, second.rank) == (1, 2)
    assert first.cells[0].metric == FID
    assert first.cells[0].mean <= second.cells[0].mean
    assert (first.finished, first.failed, first.steps) == (2, 0, 4)
    finals = [outcome.points.values[4] for outcome in found.outcomes if outcome.entrant == "gan"]
    cell = next(row for row in found.rows if row.variant == "gan").cells[0]
    assert cell.mean == pytest.approx(fmean(finals))
    assert cell.deviation == pytest.approx(stdev(finals))
    names = {"KID", "precision", "recall", "density", "coverage"}
    assert {f"{name}[mnist-convnet]" for name in names} < set(found.metrics)


def test_a_run_of_it_is_an_ordinary_run(tiny: Tiny, tmp_path: Path) -> None:
    found = zoo.compare(["gan"], "digits", **tiny(seeds=1))
    run = found.run_folder(found.outcomes[0])
    assert zoo.load(run).sample(2).shape == (2, 1, 8, 8)
    entrant = found.entrant("gan")
    zoo.train("gan", out=tmp_path / "alone", settings=entrant.settings, device="cpu")
    alone = load_file(tmp_path / "alone/model/model.safetensors")
    for name, weight in load_file(run / "model/model.safetensors").items():
        assert weight.equal(alone[name])


def test_all_share_the_image_size_the_batch_and_the_named_networks(tiny: Tiny) -> None:
    own = {"generator.width": 6, "latent_size": 4}
    found = zoo.compare(
        ["gan", "dcgan"],
        "digits",
        **tiny(seeds=1, settings=own, components={"generator": "dcgan"}, budget="1steps"),
    )
    gan, dcgan = (settings_of(found, name) for name in ("gan", "dcgan"))
    generators = [
        {path: value for path, value in its.items() if path.startswith("generator.")}
        for its in (gan, dcgan)
    ]
    assert generators[0] == generators[1]
    assert generators[0]["generator.width"] == 6
    assert gan["discriminator.image_size"] == dcgan["discriminator.image_size"] == 16
    assert gan["training.batch_size"] == dcgan["training.batch_size"] == 8
    assert all(not row.own for row in found.rows)


def test_variants_without_a_preset_take_what_all_share_of_it(tiny: Tiny) -> None:
    found = zoo.compare(
        ["gan", "dcgan"],
        "digits",
        **tiny(
            seeds=1,
            budget="1steps",
            preset="digits",
            components={"generator": "dcgan"},
            settings={"training.batch_size": 4},
        ),
    )
    gan, dcgan = (settings_of(found, name) for name in ("gan", "dcgan"))
    assert gan["generator.width"] == dcgan["generator.width"] == 16  # set for all
    assert gan["training.ema"] == dcgan["training.ema"] == 0.995
    assert gan["training.batch_size"] == dcgan["training.batch_size"] == 4
    assert any("preset digits" in sentence for sentence in found.entrant("gan").left_out)
    assert not found.entrant("dcgan").left_out


def test_a_network_that_a_variant_refuses_is_left_to_the_others(
    tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    found = zoo.compare(
        ["gan", "picky"],
        "digits",
        **tiny(seeds=1, budget="1steps", components={"discriminator": "dcgan"}, count=4),
    )
    rows = {row.variant: row for row in found.rows}
    assert not rows["gan"].own
    assert "maxout discriminators only" in rows["picky"].own["discriminator"]
    assert found.entrant("picky").components["discriminator"] == "ganzoo-plugin-gan/maxout"
    assert "own discriminator" in (found.folder / "comparison.html").read_text()


def test_a_setting_that_some_lack_is_left_out_and_said(tiny: Tiny) -> None:
    found = zoo.compare(
        ["gan", "dcgan"],
        "digits",
        **tiny(seeds=1, budget="1steps", settings={"discriminator.slope": 0.1, "image_size": 16}),
    )
    assert settings_of(found, "dcgan")["discriminator.slope"] == 0.1
    assert found.entrant("gan").left_out == ["the setting discriminator.slope"]


# The budget


def test_epochs_are_turned_into_steps(tiny: Tiny) -> None:
    found = zoo.compare(
        ["gan"],
        "digits",
        **tiny(seeds=1, budget="0.01epochs"),
    )
    assert found.rows[0].steps == 3  # of 8 images, of 1797


def test_a_time_is_turned_into_steps_once_and_recorded(tiny: Tiny) -> None:
    arguments = tiny(seeds=1, budget="0.05s")
    found = zoo.compare(["gan"], "digits", **arguments)
    entrant = found.entrant("gan")
    assert entrant.measured_speed is not None
    assert entrant.steps == max(1, int(0.05 / entrant.measured_speed))
    assert found.outcomes[0].steps == entrant.steps
    again = zoo.compare(["gan"], "digits", **arguments)
    assert again.entrant("gan") == entrant


def test_the_best_of_the_way_and_the_final_stand_apart(tiny: Tiny) -> None:
    found = zoo.compare(["dcgan"], "digits", **tiny(budget="6steps", evaluations=3))
    for outcome in found.outcomes:
        assert list(outcome.points.values) == [2, 4, 6]
    best = found.rows[0].cell(FID, "best")
    assert best
    values = [min(outcome.points.values.values()) for outcome in found.outcomes]
    assert best.mean == pytest.approx(fmean(values))
    assert best.mean <= found.rows[0].cells[0].mean


def test_measuring_on_the_way_changes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    often, once = (
        zoo.compare(["dcgan"], "digits", **tiny(seeds=1, evaluations=n, out=tmp_path / str(n)))
        for n in (4, 1)
    )
    assert weights_of(often) == weights_of(once)
    assert often.outcomes[0].results == once.outcomes[0].results


# What goes wrong


def test_a_loss_that_is_not_finite_is_counted(
    tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    arguments = tiny(seeds=3, settings={"trainer.trouble": "nan"})
    found = zoo.compare(["troubled"], "digits", **arguments)
    (row,) = found.rows
    assert (row.finished, row.failed, row.cells[0].runs) == (2, 1, 2)
    (failure,) = found.failures
    assert "became nan at step 2" in failure.reason
    assert "failed: the loss of phase" in (found.folder / "comparison.html").read_text()

    known = (found.folder / "comparison.json").read_text()
    zoo.compare(["troubled"], "digits", **arguments)
    assert (found.folder / "comparison.json").read_text() == known  # not tried again

    again = zoo.compare(["troubled"], "digits", **arguments, retry_failed=True)
    assert (again.rows[0].finished, again.rows[0].failed) == (3, 0)


def test_a_plugin_that_raises_and_images_that_are_no_numbers_are_counted(
    tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    settings = {"trainer.trouble": "raise", "trainer.times": 9}
    found = zoo.compare(
        ["troubled", "broken", "gan"], "digits", **tiny(seeds=1, settings=settings, evaluations=1)
    )
    assert [row.variant for row in found.rows] == ["gan", "troubled", "broken"]
    assert [row.failed for row in found.rows] == [0, 1, 1]
    assert [row.rank for row in found.rows] == [1, None, None]
    reasons = {failure.entrant: failure.reason for failure in found.failures}
    assert reasons["troubled"] == "ZeroDivisionError: there is nothing to divide by"
    assert "infinite or not a number" in reasons["broken"]


# Going on


def test_a_finished_comparison_is_not_repeated(tiny: Tiny) -> None:
    notes = Notes()
    first = zoo.compare(["gan"], "digits", **tiny(seeds=1))
    second = zoo.compare(["gan"], "digits", **tiny(seeds=1), observer=notes)
    assert second.to_json() == first.to_json()
    assert notes.said == []


def test_an_interruption_leaves_what_was_done_and_says_how_to_go_on(
    tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    arguments = tiny(settings={"trainer.trouble": "interrupt"})
    with pytest.raises(InterruptedTrainingError, match="the same command goes on") as stop:
        zoo.compare(["troubled"], "digits", **arguments)
    assert stop.value.exit_code == 130
    found = zoo.compare(["troubled"], "digits", **arguments)
    assert [outcome.status for outcome in found.outcomes] == ["finished", "finished"]
    straight = zoo.compare(["troubled"], "digits", **(arguments | {"out": tmp_path / "straight"}))
    assert weights_of(found) == weights_of(straight)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": 3}, "seeds: 1 → 3"),
        ({"budget": "5steps"}, 'budget: "4 steps" → "5 steps"'),
        ({"settings": {"generator.width": 17}}, "generator.width: 16 → 17"),
    ],
)
def test_other_arguments_are_refused_where_a_comparison_was_begun(
    tiny: Tiny, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    zoo.compare(["gan"], "digits", **tiny(seeds=1))
    before = (tmp_path / "out" / "comparison.json").read_bytes()
    with pytest.raises(RunError, match=re.escape(said)):
        zoo.compare(["gan"], "digits", **tiny(**{"seeds": 1, **changes}))
    assert (tmp_path / "out" / "comparison.json").read_bytes() == before


def test_a_damaged_outcome_is_said(tiny: Tiny, tmp_path: Path) -> None:
    zoo.compare(["gan"], "digits", **tiny(seeds=1))
    (tmp_path / "out/runs/gan-seed0/outcome.json").write_text("{}")
    with pytest.raises(RunError, match="damaged at entrant; remove it"):
        zoo.compare(["gan"], "digits", **tiny(seeds=1))


def test_a_folder_of_something_else_is_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match="not a comparison"):
        zoo.compare(["gan"], "digits", **tiny())
    with pytest.raises(RunError, match="is a file"):
        zoo.compare(["gan"], "digits", **tiny(out=tmp_path / "out" / "thesis.tex"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variants": ["gan", "dcgn"]}, "did you mean 'dcgan'"),
        ({"variants": ["gan", "ganzoo-plugin-gan/gan"]}, "given twice"),
        ({"variants": []}, "name the variants"),
        ({"seeds": 0}, "--seeds must be from 1"),
        ({"evaluations": 0}, "--evaluations must be from 1"),
        ({"budget": "0steps"}, "above 0"),
        ({"budget": "1.5steps"}, "whole number of steps"),
        ({"budget": "5000"}, "number with its unit"),
        ({"budget": "-3min"}, "number with its unit"),
        ({"budget": "ten minutes"}, "number with its unit"),
        ({"components": {"generator": "dcgn"}}, "did you mean 'dcgan'"),
        ({"components": {"encoder": "dcgan"}}, "unknown network 'encoder'"),
        ({"settings": {"training.steps": 9}}, "training.steps cannot be set"),
        ({"settings": {"generator.widht": 9}}, "did you mean 'generator.width'"),
        ({"settings": {"generator.width": -1}}, "generator.width cannot be -1"),
        ({"settings": {"image_size": 17}}, "dcgan cannot take part: "),
        ({"settings": {"training.batch_size": 5000}}, "larger than the 1797 images"),
        ({"preset": "digts"}, "did you mean 'digits'"),
        ({"metrics": ["kidd"]}, "did you mean 'kid'"),
        ({"metrics": []}, "unknown metric"),
        ({"metrics": ["modes"]}, "too few to judge"),
        ({"metrics": ["ssim"]}, "cannot reconstruct"),
        ({"features": "mnist-convne"}, "mnist-convnet"),
        ({"count": 1}, "at least 2 images"),
        ({"data": "digit"}, "did you mean 'digits'"),
        ({"on": "rya"}, "did you mean 'ray'"),
        ({"device": "abacus"}, "no device 'abacus'"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_is_written(
    tiny: Tiny, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    variants, data = changes.pop("variants", ["gan", "dcgan"]), changes.pop("data", "digits")
    with pytest.raises(GanzooError, match=re.escape(said)) as raised:
        zoo.compare(variants, data, **tiny(**changes))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_images_of_many_sizes_need_a_size(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for side in range(20, 40):
        Image.new("RGB", (side, side + 3), (side, 0, 0)).save(tmp_path / f"photos/{side}.png")
    with pytest.raises(ConfigError, match="--image-size"):
        zoo.compare(["gan"], f"folder:{tmp_path / 'photos'}", **tiny())


# What people read


class Seen(HTMLParser):
    """Checks that tags are closed in their order, and gathers what matters."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.headers: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "th":
            self.headers.append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return zoo.compare(
        ["gan", "dcgan"],
        "digits",
        budget="2steps",
        seeds=2,
        out=tmp_path_factory.mktemp("compared") / "out",
        settings=TINY,
        metrics=["fid", "swd"],
        count=8,
        evaluations=2,
        device="cpu",
    )


def test_json_csv_and_page_agree(compared: Comparison) -> None:
    stored = json.loads((compared.folder / "comparison.json").read_text())
    assert stored == json.loads(json.dumps(compared.to_json()))
    with (compared.folder / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    cells = [(row, cell) for row in stored["results"]["rows"] for cell in row["cells"]]
    assert len(cells) == len(lines) == 2 * 4
    seen = Seen()
    seen.feed((compared.folder / "comparison.html").read_text())
    for (row, cell), line in zip(cells, lines, strict=True):
        assert line["variant"] == row["variant"]
        assert int(line["rank"]) == row["rank"]
        assert (line["metric"], line["weights"]) == (cell["metric"], cell["weights"])
        assert float(line["mean"]) == cell["mean"]
        assert float(line["deviation"]) == cell["deviation"]
        assert f"{cell['mean']:.4g} ± {cell['deviation']:.2g}" in seen.cells


def test_the_page_is_well_formed_accessible_and_needs_nothing_else(compared: Comparison) -> None:
    text = (compared.folder / "comparison.html").read_text()
    seen = Seen()
    seen.feed(text)
    assert seen.open == []
    assert len(seen.images) == 2
    for image in seen.images:
        assert image["alt"]
        assert (image["src"] or "").startswith("data:image/png;base64,")
    assert all(header.get("scope") in ("row", "col") for header in seen.headers)
    assert not seen.tags & {"script", "link", "iframe", "object"}
    assert not re.search(r"https?://|url\(|@import", text)
    levels = [int(level) for level in re.findall(r"<h(\d)>", text)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_says_the_terms(compared: Comparison) -> None:
    text = (compared.folder / "comparison.html").read_text()
    for part in (
        "2 steps",
        "CPU cores",
        "torch ",
        "ganzoo-plugin-dcgan ",
        "sha256:",
        "No run failed",
        '<th scope="row">training.batch_size</th><td>8</td>',
    ):
        assert part in text, part


def test_markup_in_a_name_is_text(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "<script>a"
    folder.mkdir()
    for number in range(12):
        Image.new("L", (8, 8), number).save(folder / f"{number}.png")
    found = zoo.compare(
        ["gan"],
        f"folder:{folder}",
        **tiny(seeds=1, budget="1steps", features="mnist-convnet", evaluations=1),
    )
    assert "<script" not in (found.folder / "comparison.html").read_text()


def test_the_picture_has_the_grids_side_by_side(compared: Comparison) -> None:
    with Image.open(compared.folder / "samples.png") as picture:
        assert picture.width > 2 * 300
        assert 300 < picture.height < 1000


# The command


TINY_HERE = (
    *("--set", "generator.width=16", "--set", "latent_size=4", "--batch-size", "8", "-n", "8"),
    *("--budget", "2steps", "--seeds", "2", "--metrics", "fid,swd", "--evaluations", "1"),
)


def test_the_command_prints_the_ranking_and_where_the_rest_is(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    command = ("compare", "gan", "dcgan", *TINY_HERE)
    said = ganzoo_here(*command)
    assert said.code == 0, said.err
    header, first, second, *_ = said.out.splitlines()
    assert header.split()[:2] == ["VARIANT", FID]
    assert {first.split()[1], second.split()[1]} == {"gan", "dcgan"}
    assert "0 of 2" in first
    assert said.out.strip().endswith("comparisons/gan-dcgan-digits/comparison.html")
    again = ganzoo_here(*command, "--json")
    assert (again.code, again.err) == (0, "")
    assert again.json == json.loads(
        (tmp_path / "comparisons/gan-dcgan-digits/comparison.json").read_text()
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gan",), "--budget"),
        (("--budget", "5steps"), "variant"),
        (("gan", "--budget", "5steps", "--on", "moon"), "invalid choice"),
        (("gan", "--budget", "5steps", "--seeds", "many"), "whole number"),
        (("gan", "gna", "--budget", "5steps"), "did you mean 'gan'"),
        (("gan", "--budget", "soon"), "5000steps"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(
    ganzoo_here: GanzooHere, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ganzoo_here("compare", *arguments).is_one_sentence(said)
    assert not (tmp_path / "comparisons").exists()
