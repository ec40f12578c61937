"""What `ganzoo list` and its kin know of plugins without running them."""

import json
from pathlib import Path

import pytest
from fake_plugins import FakePlugins, Ganzoo, GanzooHere, entry, manifest

HEAVY = ("torch", "pydantic", "pluggy", "rich", "numpy", "huggingface_hub", "datasets")


def test_a_third_partys_variant_is_listed_beside_ours(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("somebodys-toy", manifest())
    rows = {row["name"]: row for row in ganzoo_here("list", "--json").json["variants"]}
    assert rows["toy"]["plugin"] == "somebodys-toy"
    assert rows["toy"]["version"] == "1.0"
    assert rows["toy"]["status"] == "ok"
    assert {"gan", "dcgan"} <= rows.keys()


@pytest.mark.parametrize("command", [["list"], ["info", "dcgan"], ["--help"], ["list", "--json"]])
def test_looking_imports_nothing_heavy(ganzoo: Ganzoo, command: list[str]) -> None:
    code = (
        "import sys\nfrom ganzoo_core.cli import main\n"
        f"try: main({command!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    assert ganzoo.python("-c", code).err.strip() == "[]"


def test_hooks_of_our_plugins_import_no_torch(ganzoo: Ganzoo) -> None:
    code = (
        "import sys, ganzoo_plugin_gan.hooks, ganzoo_plugin_dcgan.hooks\n"
        "print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])"
    )
    assert ganzoo.python("-c", code).out.strip() == "[]"


def test_listing_filters_by_wildcard_family_task_and_weights(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("somebodys-toy", manifest(entry(family="toys", task="compression")))
    names = lambda *options: [  # noqa: E731
        row["name"] for row in ganzoo_here("list", "--json", *options).json["variants"]
    ]
    found = names("*gan")
    assert {"dcgan", "gan"} <= set(found)
    assert all(name.endswith("gan") for name in found)
    assert names("--family", "toys") == ["toy"]
    assert names("--task", "compression") == ["toy"]
    assert "toy" not in names("--pretrained")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "not a JSON object"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        (json.dumps({"variants": []}), "'api'"),
        (json.dumps({"api": 1, "variants": []}), "'api'"),
        (json.dumps({"api": "1.x", "variants": []}), "'api'"),
        (json.dumps({"api": "1.0", "variants": {}}), "'variants'"),
        (json.dumps({"api": "1.0", "variants": [{"name": 3}]}), "'variants'"),
        (json.dumps({"api": "1.0", "variants": [{"name": "x", "aliases": 1}]}), "'aliases'"),
        (json.dumps({"api": "1.0", "variants": [], "components": []}), "'components'"),
        (json.dumps({"api": "2.0", "variants": []}), "plugin API 2.0"),
        (json.dumps({"api": "1.9", "variants": []}), "upgrade ganzoo-core"),
        (json.dumps({"api": "0.9", "variants": []}), "newer release"),
    ],
)
def test_an_unusable_manifest_is_shown_with_its_reason_and_the_rest_works(
    ganzoo_here: GanzooHere, plugins: FakePlugins, content: str | bytes | None, reason: str
) -> None:
    plugins.install("somebodys-toy", content)
    listed = ganzoo_here("list", "--json").json
    assert [plugin["plugin"] for plugin in listed["left_out"]] == ["somebodys-toy"]
    assert reason in listed["left_out"][0]["problem"]
    assert {"gan", "dcgan"} <= {row["name"] for row in listed["variants"]}
    assert "left out: somebodys-toy 1.0" in ganzoo_here("list").out
    doctor = ganzoo_here("doctor", "--json")
    assert doctor.code == 1
    problems = {plugin["plugin"]: plugin["problem"] for plugin in doctor.json["plugins"]}
    assert reason in problems["somebodys-toy"]
    assert problems["ganzoo-plugin-gan"] == ""


def test_a_variant_of_a_plugin_that_is_left_out_says_why(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("somebodys-toy", manifest(api="3.0"))
    ganzoo_here("info", "toy").is_one_sentence("somebodys-toy", "left out", "plugin API 3.0")


def test_an_entry_point_without_a_package_is_left_out(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    folder = plugins.install("somebodys-toy", manifest())
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    left_out = ganzoo_here("list", "--json").json["left_out"]
    assert "is not installed" in left_out[0]["problem"]


def test_a_name_that_two_plugins_claim_is_refused_with_both_full_names(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("a-toy", manifest())
    plugins.install("b-toy", manifest())
    ganzoo_here("info", "toy").is_one_sentence("a-toy/toy", "b-toy/toy")
    assert ganzoo_here("info", "b-toy/toy").code == 0
    rows = {row["name"]: row for row in ganzoo_here("list", "--json").json["variants"]}
    assert "also claimed by b-toy" in rows["a-toy/toy"]["status"]


def test_a_first_party_name_cannot_be_shadowed(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("evil-gan", manifest(entry(name="dcgan")))
    assert ganzoo_here("info", "dcgan", "--json").json["plugin"] == "ganzoo-plugin-dcgan"
    assert ganzoo_here("info", "evil-gan/dcgan", "--json").json["plugin"] == "evil-gan"


def test_an_alias_stands_for_its_variant(ganzoo_here: GanzooHere, plugins: FakePlugins) -> None:
    plugins.install("somebodys-toy", manifest(entry(aliases=["plaything"])))
    assert ganzoo_here("info", "plaything", "--json").json["name"] == "toy"


def test_ganzoo_plugins_narrows_what_is_seen(ganzoo: Ganzoo) -> None:
    listed = ganzoo("list", "--json", GANZOO_PLUGINS="ganzoo-plugin-gan").json["variants"]
    assert [row["name"] for row in listed] == ["gan"]
    assert ganzoo("list", "--json", GANZOO_PLUGINS="").json["variants"] == []


def test_unknown_variants_get_the_nearest_suggestion(ganzoo_here: GanzooHere) -> None:
    ganzoo_here("info", "dcgann").is_one_sentence(
        "unknown variant 'dcgann'", "did you mean 'dcgan'"
    )


RAISES = "raise ValueError('the sky is falling')"
EXITS = "import sys; sys.exit('goodbye')"
KILLS = "import os; os._exit(7)"
WRONG_SIGNATURE = """
from ganzoo_core.plugins import hookimpl

@hookimpl
def ganzoo_generator(component, settings):
    return None
"""
UNKNOWN_HOOK = """
from ganzoo_core.plugins import hookimpl

@hookimpl
def ganzoo_command(parser):
    return None
"""


@pytest.mark.parametrize(
    ("hooks", "reason"),
    [
        (RAISES, "the sky is falling"),
        (EXITS, "goodbye"),
        ("import no_such_package", "no_such_package"),
        ("def broken(:", "SyntaxError"),
        (KILLS, "ended Python with code 7"),
        (WRONG_SIGNATURE, "settings"),
        (UNKNOWN_HOOK, "ganzoo_command"),
    ],
)
def test_a_plugin_that_breaks_when_imported_harms_nothing(
    ganzoo_here: GanzooHere, plugins: FakePlugins, hooks: str, reason: str
) -> None:
    plugins.install("somebodys-toy", manifest(), hooks=hooks)
    doctor = ganzoo_here("doctor", "--json")
    problems = {plugin["plugin"]: plugin["problem"] for plugin in doctor.json["plugins"]}
    assert reason in problems["somebodys-toy"]
    assert problems["ganzoo-plugin-dcgan"] == ""
    assert ganzoo_here("train", "dcgan", "--dry-run").code == 0
    assert ganzoo_here("list").code == 0


def test_the_list_remembers_an_import_that_failed_until_the_plugin_is_mended(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    status = lambda: {  # noqa: E731
        row["name"]: row["status"] for row in ganzoo_here("list", "--json").json["variants"]
    }["toy"]
    folder = plugins.install("somebodys-toy", manifest(), hooks=RAISES)
    assert status() == "ok"  # nobody has tried yet
    ganzoo_here("train", "toy", "--dry-run").is_one_sentence("somebodys-toy", "the sky is falling")
    assert "the sky is falling" in status()
    (folder / "hooks.py").write_text("# mended\n")
    assert status() == "ok"


def answering(hook: str, body: str) -> str:
    """Hooks in which one answers wrongly."""
    return HOOK_TEMPLATE.replace(f"# {hook}", body)


HOOK_TEMPLATE = """
import sys
from ganzoo_core.plugins import hookimpl

@hookimpl
def ganzoo_config(component):
    # config
    from ganzoo_plugin_gan.config import MLPGeneratorConfig
    return MLPGeneratorConfig

@hookimpl
def ganzoo_generator(component, config):
    # generator
    from ganzoo_plugin_gan.networks import MLPGenerator
    return MLPGenerator(config)
"""


@pytest.mark.parametrize(
    ("hook", "body", "reason"),
    [
        ("config", "return dict", "must return a subclass of Config"),
        ("config", "return None", "returned nothing"),
        ("config", "raise KeyError('lost')", "lost"),
        ("generator", "return 7", "an object of type int"),
        ("generator", "import torch; return torch.nn.Linear(1, 1)", "of type Linear"),
        ("generator", "sys.exit(3)", "SystemExit"),
        ("generator", "return None", "returned nothing"),
    ],
)
def test_a_hook_that_answers_wrongly_is_named(
    ganzoo_here: GanzooHere, plugins: FakePlugins, tmp_path: Path, hook: str, body: str, reason: str
) -> None:
    plugins.install("somebodys-toy", manifest(), hooks=answering(hook, body))
    out = tmp_path / "run"
    said = ganzoo_here("train", "toy", "--steps", "1", "--out", out)
    said.is_one_sentence(f"ganzoo_{hook}", "somebodys-toy", reason)
    assert not out.exists()


def test_a_manifest_that_only_pydantic_finds_wrong_is_refused_by_path(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("somebodys-toy", manifest(entry(paper={"title": "On toys"})))
    ganzoo_here("train", "toy", "--dry-run").is_one_sentence(
        "malformed at variants.0.paper", "required"
    )


def test_a_component_of_another_plugin_can_be_mixed_in(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("somebodys-toy", manifest())
    planned = ganzoo_here("train", "dcgan", "--generator", "toy", "--image-size", "16", "--dry-run",
                     "--json")  # fmt: skip
    assert planned.json["components"]["generator"]["component"] == "somebodys-toy/toy"
    ganzoo_here("train", "dcgan", "--loss", "non-saturated", "--dry-run").is_one_sentence(
        "unknown loss", "non-saturating"
    )
