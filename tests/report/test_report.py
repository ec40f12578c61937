"""The report on a model: one page that stands alone, says what is so, and leaves out the rest."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from fake_plugins import GanzooHere
from PIL import Image

import ganzoo_core as zoo
from ganzoo_core.errors import RunError, UnknownNameError, UnsupportedError
from ganzoo_core.evaluation.report import Report
from ganzoo_core.evaluation.report.charts import draw_curves, draw_scatter
from ganzoo_core.evaluation.report.content import Chart, Section, Table
from ganzoo_core.evaluation.report.html import rendered_html
from ganzoo_core.evaluation.report.pdf import rendered_pdf
from ganzoo_core.evaluation.report.projection import projected
from ganzoo_core.scaffold import write_plugin

TINY: dict[str, Any] = {"training.steps": 4, "training.batch_size": 8, "training.log_every": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the autoencoder of `ganzoo new` installed, and two finished runs.

    `gan` is an evaluated DCGAN with normal latents, `autoencoder` has codes of two numbers.
    """
    root = tmp_path_factory.mktemp("report")
    write_plugin("folding", kind="autoencoder", out=root / "written", author="Nobody")
    site = root / "site"
    (root / "written" / "src").rename(site)
    info = site / "ganzoo_plugin_folding-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ganzoo-plugin-folding\n")
    hooks = "[ganzoo.plugins]\nfolding = ganzoo_plugin_folding.hooks\n"
    (info / "entry_points.txt").write_text(hooks)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setenv("GANZOO_CACHE", str(root / "cache"))
        settings = {"image_size": 16, "width": 4, "latent_size": 4, "generator.prior": "normal"}
        zoo.train("dcgan", "digits", out=root / "gan", settings=TINY | settings)
        zoo.evaluate(root / "gan", "digits", metrics=["swd"], count=20)
        settings = {"image_size": 8, "width": 4, "latent_size": 2}
        zoo.train("folding", "digits", out=root / "autoencoder", settings=TINY | settings)
        yield root
    for name in [name for name in sys.modules if name.startswith("ganzoo_plugin_folding")]:
        del sys.modules[name]


class Page:
    """An HTML page, which is read as XML so that nothing malformed goes through."""

    def __init__(self, file: Path) -> None:
        self.text = file.read_text(encoding="utf-8")
        self.tree = ElementTree.fromstring(self.text)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.tree.itertext()).split())

    @property
    def headings(self) -> list[str]:
        return ["".join(each.itertext()) for each in self.tree.iter("h2")]

    def pictures(self) -> list[Image.Image]:
        found = []
        for image in self.tree.iter("img"):
            kind, data = image.attrib["src"].split(",", 1)
            assert kind == "data:image/png;base64"
            found.append(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))
        return found


def report(model: Any, out: Path, **options: Any) -> tuple[Report, Page]:
    its = zoo.report(model, out, **({"count": 4} | options))
    return its, Page(out)


@pytest.fixture(scope="module")
def of_autoencoder(folder: Path) -> tuple[Report, Page]:
    return report(folder / "autoencoder", folder / "autoencoder.html", data="digits")


@pytest.fixture(scope="module")
def of_gan(folder: Path) -> tuple[Report, Page]:
    return report(folder / "gan", folder / "gan.html", count=9)


def test_a_gan_is_shown_by_what_it_can_and_the_rest_is_left_out_with_a_reason(
    of_gan: tuple[Report, Page],
) -> None:
    its, page = of_gan
    shown = [section.title for section in its.sections]
    assert shown == [
        *("What it is", "Samples", "Interpolations", "Truncation", "Losses", "Measured"),
        "Settings",
    ]
    assert page.headings == [*shown, "Not shown"]
    assert its.left_out.keys() == {
        "Codes of real images",
        "Reconstructions",
        "Nearest neighbours",
    }
    assert "Reconstructions : dcgan cannot reconstruct" in page.words
    assert "Nearest neighbours : it needs real images, which --data names." in page.words


def test_it_says_what_the_model_is(of_gan: tuple[Report, Page]) -> None:
    words = of_gan[1].words
    for part in (
        "ganzoo-plugin-dcgan/dcgan",
        "Radford",
        "the run gan",
        "4 steps of batch size 8 on digits",
        'prior="normal"',
        "log_every=1",
        f"torch {torch.__version__}",
        "of seed 0",
    ):
        assert part in words


def test_losses_and_what_was_measured_are_those_of_the_run(of_gan: tuple[Report, Page]) -> None:
    its, page = of_gan
    sections = {section.title: section for section in its.sections}
    (losses, *_) = sections["Losses"].parts
    assert isinstance(losses, Chart)
    assert losses.says.startswith("Losses over 4 steps: discriminator, generator")
    (table,) = sections["Measured"].parts
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows][:1] == ["SWD 16"]
    assert "digits (train)" in page.words


def test_the_images_are_those_that_sampling_draws(
    folder: Path, of_gan: tuple[Report, Page]
) -> None:
    from ganzoo_core import images

    drawn = zoo.load(folder / "gan").sample(9, seed=0)
    expected = np.asarray(images.grid(drawn, enlarge=4))
    np.testing.assert_array_equal(np.asarray(of_gan[1].pictures()[0]), expected)
    # The last column of the truncations is the latents as they are.
    truncations = np.asarray(of_gan[1].pictures()[2])
    first = np.asarray(images.grid(drawn[:1], 1, enlarge=4))
    np.testing.assert_array_equal(truncations[: len(first), -len(first) :], first)


def test_an_autoencoder_shows_its_codes_and_reconstructions(
    of_autoencoder: tuple[Report, Page],
) -> None:
    its, page = of_autoencoder
    assert not its.left_out.keys() - {"Measured"}
    assert (
        "The codes of 1797 images of digits (train), as they are, coloured by class" in page.words
    )
    assert "nearest to it in the eyes of mnist-convnet" in page.words
    reconstructions = page.pictures()[4]
    side = 8 * 8 + 16  # eight pixels, each enlarged eightfold, and the gap
    assert reconstructions.size == (10 * side + 16, 4 * side + 16)


def test_a_page_stands_alone_and_is_accessible(of_autoencoder: tuple[Report, Page]) -> None:
    _, page = of_autoencoder
    tags = [each.tag for each in page.tree.iter()]
    assert not {"script", "link", "iframe", "object"} & set(tags)
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:|#|&)[\w/]""", page.text)
    assert page.tree.attrib["lang"] == "en"
    assert page.tree.findtext("head/title", "").startswith("Folding")
    assert tags.count("main") == tags.count("h1") == 1
    assert all(len(image.attrib["alt"]) > 10 for image in page.tree.iter("img"))
    assert all(cell.attrib["scope"] in ("row", "col") for cell in page.tree.iter("th"))
    targets = {each.attrib["id"] for each in page.tree.iter() if "id" in each.attrib}
    links = [each.attrib["href"].removeprefix("#") for each in page.tree.iter("a")]
    assert len(links) == len(page.headings) and set(links) <= targets
    for image, picture in zip(page.tree.iter("img"), page.pictures(), strict=True):
        ratio = int(image.attrib["width"]) / int(image.attrib["height"])
        assert ratio == pytest.approx(picture.width / picture.height, rel=0.01)


@pytest.mark.parametrize("suffix", [".html", ".pdf"])
def test_the_same_seed_gives_the_same_bytes_and_another_others(folder: Path, suffix: str) -> None:
    model, state = zoo.load(folder / "autoencoder"), torch.get_rng_state()
    pages = []
    for number, seed in enumerate((0, 0, 1)):
        out = folder / f"again-{number}{suffix}"
        zoo.report(model, out, data="digits", seed=seed, count=4)
        pages.append(out.read_bytes())
    assert pages[0] == pages[1] != pages[2]
    assert torch.equal(torch.get_rng_state(), state)


def test_neither_pyplot_nor_its_state_is_touched(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys, ganzoo_core as zoo\n"
        "assert 'matplotlib' not in sys.modules\n"
        "zoo.report(sys.argv[1], 'one.pdf', count=1)\n"
        "zoo.report(sys.argv[1], 'one.html', count=1)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(folder / "gan")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_pdf_has_pages_and_no_date(folder: Path) -> None:
    zoo.report(folder / "gan", folder / "gan.pdf", count=4)
    content = (folder / "gan.pdf").read_bytes()
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) >= 3
    assert b"CreationDate" not in content


def test_shipped_weights_have_a_report_without_any_data(tmp_path: Path) -> None:
    its, page = report("dcgan.mnist", tmp_path / "page.html")
    assert "dcgan-mnist, which ganzoo-plugin-dcgan ships (verified)" in page.words
    assert str(Path.home()) not in page.text
    assert its.left_out["Losses"] == "the model does not lie in the run that trained it"


def test_fresh_weights_and_uniform_latents_are_said_to_be_so(tmp_path: Path) -> None:
    model = zoo.create("dcgan", image_size=16, width=4, channels=3)
    its, page = report(model, tmp_path / "page.html")
    assert "fresh weights, not trained" in page.words
    assert its.left_out["Truncation"].startswith("the latents of dcgan are not standard normal")


def test_a_conditional_model_shows_its_classes_in_columns(tmp_path: Path) -> None:
    pytest.importorskip("ganzoo_plugin_cgan", reason="the plugin cgan is not installed")
    model = zoo.create("cgan", image_size=8, channels=1, classes=3, width=8)
    _, page = report(model, tmp_path / "page.html", count=6)
    assert "asked for its 3 classes in turn, one a column" in page.words


def test_names_are_shown_as_they_are_whatever_is_in_them() -> None:
    names = ["<b>&amp;", "_hidden", "$x^2$", "鳥", "a\nb"]
    points, classes = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 5

    def draw(axes: Any) -> None:
        draw_scatter(axes, points, ("$z$", "z1"), classes, names)
        legend = axes.get_legend()
        shown = [text.get_text().strip("\u200b") for text in legend.get_texts()]
        assert shown == names
        assert not any(text.get_parse_math() for text in legend.get_texts())

    hostile = "</title><script>alert(1)</script>$\\frac$"
    chart = Chart(draw, f'"{hostile}"')
    table = Table(((hostile, "鳥" * 500),), ("a", "b"), hostile)
    its = Report(hostile, hostile, (Section(hostile, hostile, (chart, table)),), {hostile: hostile})
    page = rendered_html(its)
    assert "<script" not in page
    assert ElementTree.fromstring(page).findtext("head/title") == hostile
    assert rendered_pdf(its).startswith(b"%PDF")


def test_a_long_table_goes_on_overleaf_and_a_tall_picture_fits() -> None:
    from ganzoo_core.evaluation.report.content import Picture

    rows = tuple((f"metric {number}", "0.1") for number in range(200))
    tall = Picture(Image.new("L", (50, 5000)), "a tall picture")
    its = Report("Long", "", (Section("All", "", (Table(rows), tall, tall)),))
    content = rendered_pdf(its)
    assert len(re.findall(rb"/Type /Page\b", content)) >= 5
    assert its.left_out == {}
    assert "Not shown" not in rendered_html(its)


def test_curves_with_gaps_and_without_numbers_are_drawn() -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    steps = [float(step) for step in range(5000)]
    odd = [float("nan") if step % 3 else step for step in steps]
    draw_curves(axes, steps, {"odd": odd, "none": [float("inf")] * 5000})
    lines = axes.get_lines()
    xs = np.asarray(lines[0].get_xdata())
    assert 100 < len(xs) <= 400
    np.testing.assert_allclose(xs, np.asarray(lines[0].get_ydata()))
    assert len(np.asarray(lines[1].get_xdata())) == 0


def test_damaged_lines_of_the_log_are_passed_over(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "gan", tmp_path / "run")
    log = tmp_path / "run" / "metrics.jsonl"
    whole = log.read_bytes()
    log.write_bytes(b'\xff{"step": 3}\n[]\n{"losses": 3, "step": 1}\n' + whole + b'{"step": 5, "lo')
    its, _ = report(tmp_path / "run", tmp_path / "page.html")
    assert "Losses" in [section.title for section in its.sections]
    for content, reason in ((b"", "holds no losses"), (None, "holds no losses")):
        log.unlink(missing_ok=True)
        if content is not None:
            log.write_bytes(content)
        its, _ = report(tmp_path / "run", tmp_path / "page.html")
        assert reason in its.left_out["Losses"]


def test_figures_of_other_weights_are_not_shown(folder: Path, tmp_path: Path) -> None:
    model = zoo.load(folder / "gan")
    with torch.no_grad():
        next(model.networks["generator"].parameters()).add_(1)
    its, _ = report(model, tmp_path / "page.html")
    assert its.left_out["Measured"].startswith("nothing has been measured of these weights")


def test_codes_that_are_not_numbers_are_left_out(folder: Path, tmp_path: Path) -> None:
    model = zoo.load(folder / "autoencoder")
    with torch.no_grad():
        for weight in model.networks["encoder"].parameters():
            weight.fill_(float("nan"))
    its, _ = report(model, tmp_path / "page.html", data="digits")
    assert "the encoder has diverged" in its.left_out["Codes of real images"]


def test_features_that_cannot_be_had_leave_only_the_neighbours_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=images)
    its, _ = report(
        folder / "autoencoder", tmp_path / "page.html", data=f"npz:{tmp_path}/noise.npz"
    )
    if "Nearest neighbours" in its.left_out:  # unless this machine has them in timm's own cache
        assert "cannot be downloaded" in its.left_out["Nearest neighbours"]
    text = next(each.text for each in its.sections if each.title == "Reconstructions")
    assert text.startswith("Images of npz:noise.npz (train),")


# Projections


def test_codes_of_two_numbers_are_shown_as_they_are() -> None:
    codes = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_array_equal(projected(codes, "umap", 0).points, codes)
    assert projected(codes[:, :1], "pca", 0).points.shape == (20, 2)


def test_principal_components_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    generator = np.random.default_rng(0)
    codes = generator.normal(size=(200, 5)) @ generator.normal(size=(5, 5))
    found = projected(codes, "pca", 0)
    theirs = PCA(2).fit(codes)
    expected = theirs.transform(codes)
    np.testing.assert_allclose(np.abs(found.points), np.abs(expected), atol=1e-9)
    assert f"({theirs.explained_variance_ratio_[0]:.0%})" in found.axes[0]
    turned = projected(codes[::-1], "pca", 0).points[::-1]
    np.testing.assert_allclose(turned, found.points, atol=1e-9)


def test_constant_codes_have_a_picture_too() -> None:
    assert np.isfinite(projected(np.ones((20, 5)), "pca", 0).points).all()


def test_umap_depends_on_its_seed_alone() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    codes = np.random.default_rng(0).normal(size=(60, 5))
    state = np.random.get_state(legacy=False)["state"]["key"].tobytes()
    one, again, other = (projected(codes, "umap", seed).points for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.shape == (60, 2)
    assert not np.array_equal(one, other)
    assert np.random.get_state(legacy=False)["state"]["key"].tobytes() == state


def test_umap_that_is_not_installed_is_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo_core.evaluation.report.projection.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match="pip install umap-learn") as raised:
        report(folder / "gan", tmp_path / "page.html", projection="umap")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "page.html").exists()


# What cannot be


@pytest.mark.parametrize("name", ["report", "report.htm", "report.png", "report.html.gz"])
def test_other_formats_are_refused_before_anything_is_loaded(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"an \.html page or a \.pdf"):
        zoo.report("no-such-model", tmp_path / name)


def test_a_place_that_cannot_be_written_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UnsupportedError, match="is a folder"):
        zoo.report(folder / "gan", tmp_path / "folder.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        zoo.report(folder / "gan", tmp_path / "file" / "page.html", count=1)


def test_an_unknown_projection_is_refused_with_a_suggestion(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'pca'"):
        zoo.report(folder / "gan", tmp_path / "page.html", projection="pc")


# The command


def test_the_command_writes_the_page_and_says_what_is_missing(
    ganzoo_here: GanzooHere, folder: Path, tmp_path: Path
) -> None:
    said = ganzoo_here("sample", folder / "gan", "--report", "page.html", "-n", "2")
    assert said.code == 0, said.err
    *missing, last = said.out.splitlines()
    assert last == "7 parts of seed 0: page.html"
    assert len(missing) == 3 and all(line.startswith("not shown: ") for line in missing)
    assert (tmp_path / "page.html").is_file()
    assert not (tmp_path / "samples.png").exists()


def test_the_command_answers_in_json_and_saves_images_where_asked(
    ganzoo_here: GanzooHere, folder: Path, tmp_path: Path
) -> None:
    given = ("--report", "page.pdf", "--out", "grid.png", "-n", "2", "--seed", "3", "--json")
    said = ganzoo_here("sample", folder / "gan", *given)
    assert said.code == 0, said.err
    answer = json.loads(said.out)
    assert answer["report"] == "page.pdf" and "Samples" in answer["shown"]
    assert answer["left_out"].keys() >= {"Reconstructions"}
    assert (answer["out"], answer["count"], answer["seed"]) == ("grid.png", 2, 3)
    assert (tmp_path / "page.pdf").is_file() and (tmp_path / "grid.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--report", "page.doc"), ["an .html page or a .pdf"]),
        (("--report", "page.html", "--data", "nowhere"), ["unknown data set"]),
        (("--report", "page.html", "--data", "digits", "--split", "test"), ["single split"]),
        (("--report", "page.html", "--projection", "tsne"), ["unknown projection", "pca"]),
        (("--report", "page.html", "--code", "z0=1"), ["--out as well"]),
        (("--data", "digits"), ["are for a report"]),
        (("--report",), ["--report"]),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(
    ganzoo_here: GanzooHere, folder: Path, tmp_path: Path, arguments: tuple[str, ...], parts: Any
) -> None:
    ganzoo_here("sample", folder / "gan", *arguments).is_one_sentence(*parts)
    assert not list(tmp_path.glob("*.html"))
