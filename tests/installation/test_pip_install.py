"""What the README promises of `pip install`: fresh environments, an index on loopback."""

import tarfile
import zipfile
from pathlib import Path

import pytest
from fake_plugins import entry, manifest
from package_index import PLUGINS, Environment, PackageIndex, plugin_wheel


def install(environment: Environment, index: PackageIndex, *requirements: str) -> None:
    done = environment.pip("install", "--quiet", "--index-url", index.url, *requirements)
    assert done.code == 0, done.err


def listed(environment: Environment) -> dict[str, str]:
    """Return name and status of each variant that `ganzoo list` shows."""
    rows = environment.ganzoo("list", "--json").json["variants"]
    return {row["name"]: row["status"] for row in rows}


def test_one_line_brings_the_core_the_command_and_what_the_paper_builds_on(
    index: PackageIndex, tmp_path: Path
) -> None:
    environment = Environment.create(tmp_path / "environment")
    install(environment, index, "ganzoo-plugin-dcgan")
    said = environment.run(environment.folder / "bin" / "ganzoo", "list", "--json")
    assert [row["name"] for row in said.json["variants"]] == ["dcgan", "gan"]
    model = "import ganzoo_core as zoo; print(zoo.create('dcgan', image_size=16, width=4).verbs)"
    said = environment.run(environment.python, "-c", model)
    assert "sample" in said.out, said.err


def test_two_plugins_of_one_name_are_both_kept_and_neither_wins(
    environment: Environment, index: PackageIndex, tmp_path: Path
) -> None:
    for name in ("alices-toy", "bobs-toy"):
        index.add(plugin_wheel(tmp_path, name, "1.0", manifest()))
    install(environment, index, "alices-toy", "bobs-toy")
    assert set(listed(environment)) == {"alices-toy/toy", "bobs-toy/toy"}
    environment.ganzoo("info", "toy").is_one_sentence("alices-toy/toy or bobs-toy/toy")
    assert environment.ganzoo("info", "bobs-toy/toy").code == 0


def test_an_official_name_is_not_anothers_even_before_the_official_plugin_is_installed(
    environment: Environment, index: PackageIndex, tmp_path: Path
) -> None:
    index.add(plugin_wheel(tmp_path, "alices-toy", "1.0", manifest(entry(name="dcgan"))))
    install(environment, index, "alices-toy")
    assert "ganzoo-plugin-dcgan" in listed(environment)["alices-toy/dcgan"]
    environment.ganzoo("info", "dcgan").is_one_sentence("ganzoo-plugin-dcgan", "alices-toy/dcgan")
    assert environment.ganzoo("info", "alices-toy/dcgan").code == 0
    install(environment, index, "ganzoo-plugin-dcgan")
    assert environment.ganzoo("info", "dcgan", "--json").json["plugin"] == "ganzoo-plugin-dcgan"


def test_a_plugin_for_another_api_is_left_out_with_its_reason_and_the_rest_works(
    environment: Environment, index: PackageIndex, tmp_path: Path
) -> None:
    index.add(plugin_wheel(tmp_path, "alices-toy", "1.0", manifest(api="7.0")))
    install(environment, index, "alices-toy", "ganzoo-plugin-gan")
    said = environment.ganzoo("list")
    assert "alices-toy 1.0: it is written for plugin API 7.0" in said.out
    assert listed(environment) == {"gan": "ok"}


def test_upgrades_downgrades_and_removals_show_at_once(
    environment: Environment, index: PackageIndex, tmp_path: Path
) -> None:
    index.add(plugin_wheel(tmp_path, "alices-toy", "1.0", manifest()))
    index.add(plugin_wheel(tmp_path, "alices-toy", "2.0", manifest(entry(name="toy-two"))))
    for requirement, expected in {
        "alices-toy==1.0": {"toy": "ok"},
        "alices-toy==2.0": {"toy-two": "ok"},
        "alices-toy<2": {"toy": "ok"},
    }.items():
        install(environment, index, requirement)
        assert listed(environment) == expected
    assert environment.pip("uninstall", "--yes", "alices-toy").code == 0
    assert listed(environment) == {}


def test_a_plugin_that_an_upgrade_has_broken_harms_nothing_and_can_be_removed(
    environment: Environment, index: PackageIndex, tmp_path: Path
) -> None:
    hooks = "raise RuntimeError('moved away')"
    index.add(plugin_wheel(tmp_path, "alices-toy", "1.0", manifest()))
    index.add(plugin_wheel(tmp_path, "alices-toy", "2.0", manifest(), hooks=hooks))
    install(environment, index, "alices-toy==1.0", "ganzoo-plugin-gan")
    install(environment, index, "alices-toy==2.0")
    doctor = environment.ganzoo("doctor")
    assert doctor.code == 1 and "moved away" in doctor.out
    assert "moved away" in listed(environment)["toy"]
    assert listed(environment)["gan"] == "ok"
    assert environment.ganzoo("uninstall", "toy", "--yes").code == 0
    assert listed(environment) == {"gan": "ok"}


def test_what_an_interrupted_upgrade_leaves_behind_is_no_second_plugin(
    environment: Environment, index: PackageIndex
) -> None:
    install(environment, index, "ganzoo-plugin-gan")
    info = next(environment.site.glob("ganzoo_plugin_gan-*.dist-info"))
    aside = info.with_name(f"~{info.name[1:]}")
    aside.mkdir()
    (aside / "entry_points.txt").write_bytes((info / "entry_points.txt").read_bytes())
    assert listed(environment) == {"gan": "ok"}


@pytest.mark.parametrize("project", [path.name for path in PLUGINS])
def test_distributions_contain_manifest_types_and_licence(built: list[Path], project: str) -> None:
    package = project.replace("-", "_")
    ours = [path for path in built if path.name.startswith(f"{package}-")]
    assert len(ours) == 2
    for path in ours:
        if path.suffix == ".whl":
            names = zipfile.ZipFile(path).namelist()
        else:
            with tarfile.open(path) as archive:
                names = archive.getnames()
        for wanted in (f"{package}/ganzoo-plugin.json", f"{package}/py.typed", "LICENSE"):
            assert any(name.endswith(wanted) for name in names), (path.name, wanted)


def test_the_core_contains_types_licence_and_the_registrys_snapshot(wheels: list[Path]) -> None:
    core = next(path for path in wheels if path.name.startswith("ganzoo_core-"))
    names = zipfile.ZipFile(core).namelist()
    assert {"ganzoo_core/py.typed", "ganzoo_core/registry/registry.json"} <= set(names)
    assert any(name.endswith("/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ganzoo_core"}
