"""`ganzoo search` and `ganzoo info` over plugins, papers and what is installed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import FakePlugins, Ganzoo, GanzooHere, entry, manifest

Registry = dict[str, Any]
HEAVY = ("torch", "pydantic", "pluggy", "rich", "numpy", "huggingface_hub", "packaging")


def names(ganzoo: GanzooHere, *words: str) -> list[str]:
    return [found["name"] for found in ganzoo("search", *words, "--json").json]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["dcgan"], "dcgan"),
        (["DC-GAN"], "dcgan"),
        (["began"], "began"),
        (["attngan"], "AttnGAN"),
        (["cyclegna"], "cyclegan"),
        (["atngan"], "AttnGAN"),
        (["progresive", "gan"], "progan"),
        (["Cramer", "GAN"], "Cramèr GAN"),
        (["beta-gan"], "β-GAN"),
        (["β-gan"], "β-GAN"),
        (["boundary", "equilibrium"], "began"),
        (["laplacian", "pyramid"], "LAPGAN"),
        (["unpaired", "translation"], "cyclegan"),
    ],
)
def test_names_and_titles_are_found_however_they_are_written(
    ganzoo_here: GanzooHere, words: list[str], first: str
) -> None:
    assert names(ganzoo_here, *words)[0] == first


def test_exact_names_come_before_prefixes_before_words_before_similar_ones(
    ganzoo_here: GanzooHere,
) -> None:
    found = names(ganzoo_here, "began")
    assert found[:2] == ["began", "BEGAN-CS"]
    assert found.index("BEGAN-CS") < found.index("EGAN")


def test_it_says_what_is_installed_what_can_be_and_what_is_only_a_paper(
    ganzoo_here: GanzooHere,
    ours: Registry,
    listing: Callable[..., Registry],
    use: Callable[[Registry], Path],
) -> None:
    use(listing(ours, "alices-gans", entry(name="gan-of-alice")))
    found = {each["name"]: each for each in ganzoo_here("search", "gan", "--json").json}
    assert found["gan"]["status"] == "installed"
    assert found["gan-of-alice"]["status"] == "ganzoo install alices-gans"
    paper = ganzoo_here("search", "attngan", "--json").json[0]
    assert (paper["status"], paper["link"]) == ("only a paper", "https://arxiv.org/abs/1711.10485")
    shown = ganzoo_here("search", "attngan").out
    assert "only a paper" in shown and "https://arxiv.org/abs/1711.10485" in shown


def test_what_is_installed_is_found_though_nobody_lists_it(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("somebodys-toy", manifest())
    (found,) = [each for each in ganzoo_here("search", "toy", "--json").json if each["plugin"]]
    assert (found["plugin"], found["status"]) == ("somebodys-toy", "installed")


def test_a_plugin_that_brings_only_a_loss_is_found_by_it(
    ganzoo_here: GanzooHere,
    ours: Registry,
    listing: Callable[..., Registry],
    use: Callable[[Registry], Path],
    tmp_path: Path,
) -> None:
    registry = listing(ours, "alices-losses")
    for plugin in registry["plugins"]:
        if plugin["name"] == "alices-losses":
            plugin["variants"] = []
            plugin["components"] = {"losses": [{"name": "sliced", "summary": "Sliced distance"}]}
    use(registry)
    found = ganzoo_here("search", "sliced", "--json").json[0]
    assert (found["kind"], found["plugin"]) == ("loss", "alices-losses")


def test_nothing_found_is_said(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here("search", "xyzzyqwv")
    assert said.code == 0 and "nothing resembles" in said.out
    assert names(ganzoo_here, "!!!") == []


def test_the_limit_is_kept(ganzoo_here: GanzooHere) -> None:
    assert len(ganzoo_here("search", "gan", "--limit", "3", "--json").json) == 3


def test_a_changed_registry_is_seen_at_once_and_a_damaged_index_is_made_anew(
    ganzoo_here: GanzooHere,
    ours: Registry,
    listing: Callable[..., Registry],
    use: Callable[[Registry], Path],
    fresh_cache: Path,
) -> None:
    use(ours)
    assert "gan-of-alice" not in names(ganzoo_here, "gan-of-alice")
    use(listing(ours, "alices-gans", entry(name="gan-of-alice")))
    index = fresh_cache / "registry" / "search-index.txt"
    for damage in (lambda text: text, lambda text: text[:-9], lambda _: "\x00", lambda _: ""):
        assert names(ganzoo_here, "gan-of-alice")[0] == "gan-of-alice"
        index.write_text(damage(index.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize("command", [["search", "attngan"], ["info", "attngan"], ["plugins"]])
@pytest.mark.parametrize("run", ["first", "second"])
def test_searching_imports_nothing_heavy(ganzoo: Ganzoo, command: list[str], run: str) -> None:
    code = (
        "import sys\nfrom ganzoo_core.cli import main\n"
        f"try: main({command!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    if run == "second":
        ganzoo.python("-c", code)
    assert ganzoo.python("-c", code).err.strip() == "[]"


def test_info_knows_papers_that_nobody_has_written_a_plugin_for(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here("info", "attngan")
    assert said.code == 0
    for part in ("Attentional", "2017", "https://arxiv.org/abs/1711.10485", "nobody"):
        assert part in said.out
    described = ganzoo_here("info", "Attn-GAN", "--json").json
    assert [found["kind"] for found in described["found"]] == ["paper"]
    assert len(ganzoo_here("info", "sgan", "--json").json["found"]) == 6


def test_info_says_how_to_get_a_listed_variant(
    ganzoo_here: GanzooHere,
    ours: Registry,
    listing: Callable[..., Registry],
    use: Callable[[Registry], Path],
) -> None:
    use(listing(ours, "alices-gans", entry(name="gan-of-alice")))
    for name in ("gan-of-alice", "alices-gans/gan-of-alice"):
        assert "ganzoo install alices-gans" in ganzoo_here("info", name).out


def test_info_of_what_nobody_knows_suggests_the_nearest(ganzoo_here: GanzooHere) -> None:
    ganzoo_here("info", "attngann").is_one_sentence("did you mean", "'AttnGAN'")
    ganzoo_here("info", "xyzzyqwv").is_one_sentence("unknown variant 'xyzzyqwv'")


def test_text_of_the_registry_cannot_command_the_terminal(
    ganzoo_here: GanzooHere, ours: Registry, use: Callable[[Registry], Path]
) -> None:
    paper = ours["papers"][0] | {
        "abbreviation": "Evil\x1b[2J",
        "title": "a\x1b]0;b\x07c\nd\u202e \ud800",
        "variant": None,
    }
    path = use(ours)
    path.write_text(json.dumps(ours | {"papers": [paper]}))
    for command in (("search", "evil"), ("info", "evil2j"), ("search", "evil", "--json")):
        said = ganzoo_here(*command)
        assert said.code == 0, said.err
        assert not [c for c in said.out if not c.isprintable() and c != "\n"]


def test_a_read_only_cache_only_costs_time(
    ganzoo_here: GanzooHere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "file" / "cache"))
    assert names(ganzoo_here, "attngan")[0] == "AttnGAN"
