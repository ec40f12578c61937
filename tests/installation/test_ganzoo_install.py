"""`ganzoo install` and `ganzoo uninstall`, with real installers and an index on loopback."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import Answer, entry, manifest
from package_index import Environment, PackageIndex, find_uv, make_wheel, plugin_wheel

ListWheels = Callable[..., dict[str, Any]]


def install(environment: Environment, index: PackageIndex, *arguments: str, **more: str) -> Answer:
    return environment.ganzoo("install", "--index-url", index.url, *arguments, **more)


def listed(environment: Environment) -> list[str]:
    return [row["name"] for row in environment.ganzoo("list", "--json").json["variants"]]


def toy(folder: Path, version: str = "1.0", **options: Any) -> Path:
    return plugin_wheel(folder / version, "alices-toy", version, manifest(), **options)


NEEDED = ("ganzoo-plugin-dcgan", "ganzoo-plugin-gan")


def test_a_variants_name_installs_its_plugin_and_what_that_needs(
    environment: Environment,
    index: PackageIndex,
    wheels: list[Path],
    list_in_registry: ListWheels,
) -> None:
    content = list_in_registry(*wheels, tier="official")
    said = install(environment, index, "dcgan", "--yes")
    assert said.code == 0, said.err
    needed = [p for p in content["plugins"] if p["name"] in NEEDED]
    assert len(needed) == len(NEEDED)
    for plugin in needed:
        line = next(line for line in said.out.splitlines() if line.startswith(plugin["name"]))
        assert plugin["latest"]["wheel"]["sha256"] in line
        assert "Apache-2.0" in line and "official" in line
    assert "run with all your rights" in said.out
    assert "ganzoo info dcgan" in said.out
    assert listed(environment) == ["dcgan", "gan"]
    again = install(environment, index, "dcgan", "--yes")
    assert (again.code, again.out) == (0, "ganzoo-plugin-dcgan 0.1.0 is installed already\n")


def test_the_plan_can_be_read_by_programs_and_changes_nothing(
    environment: Environment,
    index: PackageIndex,
    wheels: list[Path],
    list_in_registry: ListWheels,
) -> None:
    list_in_registry(*wheels, tier="official")
    plan = install(environment, index, "gan", "--dry-run", "--json").json["plan"]
    assert [item["distribution"] for item in plan] == ["ganzoo-plugin-gan"]
    assert listed(environment) == []


def test_nobody_is_installed_for_who_was_not_asked(
    environment: Environment,
    index: PackageIndex,
    wheels: list[Path],
    list_in_registry: ListWheels,
) -> None:
    list_in_registry(*wheels, tier="official")
    install(environment, index, "gan").is_one_sentence("--yes")
    assert listed(environment) == []


@pytest.mark.parametrize(("reply", "code", "installed"), [("y", 0, ["gan"]), ("n", 1, [])])
def test_on_a_terminal_one_is_asked(
    environment: Environment,
    index: PackageIndex,
    wheels: list[Path],
    list_in_registry: ListWheels,
    reply: str,
    code: int,
    installed: list[str],
) -> None:
    list_in_registry(*wheels, tier="official")
    mine, its = pty.openpty()
    arguments = ("install", "gan", "--index-url", index.url)
    process = subprocess.Popen(
        [environment.python, "-m", "ganzoo_core", *arguments],
        env=environment.variables(),
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    os.write(mine, f"{reply}\n".encode())
    said = b""
    while True:
        try:
            said += os.read(mine, 4096)
        except OSError:  # how the end of a terminal looks
            break
    os.close(mine)
    assert process.wait() == code, said
    assert b"[y/N]" in said
    assert listed(environment) == installed


def test_a_typing_error_gets_a_suggestion_and_no_guess_at_the_index(
    environment: Environment,
    index: PackageIndex,
    wheels: list[Path],
    list_in_registry: ListWheels,
    tmp_path: Path,
) -> None:
    list_in_registry(*wheels, tier="official")
    index.add(plugin_wheel(tmp_path, "dcgna", "1.0", manifest()))
    install(environment, index, "dcgna", "--yes").is_one_sentence("did you mean 'dcgan'?")
    assert index.requests == []


def test_an_unlisted_plugin_is_installed_only_where_one_says_so(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    index.add(toy(tmp_path))
    install(environment, index, "alices-toy", "--yes").is_one_sentence("--unlisted")
    assert index.requests == []
    said = install(environment, index, "alices-toy", "--unlisted", "--yes")
    assert said.code == 0, said.err
    assert listed(environment) == ["toy"]


def test_another_file_than_the_listed_one_is_refused(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    list_in_registry(toy(tmp_path))
    index.add(toy(tmp_path / "other", hooks="# something else"))
    for extra in ((), ("--unlisted",)):
        said = install(environment, index, "toy", "--yes", *extra)
        said.is_one_sentence("sha256", "nothing was installed")
    assert listed(environment) == []


def test_a_file_that_the_index_itself_has_announced_differently_is_refused(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    wheel = toy(tmp_path)
    list_in_registry(wheel)
    index.add(wheel)
    index.replaced[wheel.name] = toy(tmp_path / "other", hooks="# other").read_bytes()
    install(environment, index, "toy", "--yes").is_one_sentence("pip")
    assert listed(environment) == []


def test_an_entry_that_misdescribes_its_wheel_is_refused(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    wheel = toy(tmp_path)
    list_in_registry(wheel, variants=[entry(name="toy", summary="Something better.")])
    index.add(wheel)
    install(environment, index, "toy", "--yes").is_one_sentence("other contents")
    assert listed(environment) == []


def test_a_plugin_for_another_api_is_refused_before_it_is_installed(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    index.add(plugin_wheel(tmp_path, "alices-toy", "1.0", manifest(api="7.0")))
    said = install(environment, index, "alices-toy", "--unlisted", "--yes")
    said.is_one_sentence("plugin API 7.0", "nothing was installed")
    assert not (environment.site / "alices_toy").exists()


def test_what_is_no_plugin_is_refused(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "alices-tools", "1.0", {"alices_tools.py": ""}))
    said = install(environment, index, "alices-tools", "--unlisted", "--yes")
    said.is_one_sentence("no plugin")
    assert not (environment.site / "alices_tools.py").exists()


def test_a_source_distribution_is_never_built(
    environment: Environment,
    index: PackageIndex,
    built: list[Path],
    list_in_registry: ListWheels,
) -> None:
    index.files.clear()
    index.add(*(path for path in built if path.suffix != ".whl"))
    said = install(environment, index, "ganzoo-plugin-gan", "--unlisted", "--yes")
    said.is_one_sentence("ganzoo-plugin-gan")
    assert not [path for path in index.requests if path.startswith("/files/")]


def test_torch_is_not_changed_unless_one_says_so(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "torch", "99.0", {"torch/__init__.py": ""}))
    wheel = toy(tmp_path, requires=("ganzoo-core", "torch>=99"))
    index.add(wheel)
    list_in_registry(wheel)
    install(environment, index, "toy", "--yes").is_one_sentence("--allow-torch-change", "99.0")
    said = install(environment, index, "toy", "--allow-torch-change", "--dry-run")
    assert said.code == 0 and "→ 99.0" in said.out, said.err


def test_the_core_that_runs_is_not_changed(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "ganzoo-core", "99.0", {"ganzoo_core/__init__.py": ""}))
    wheel = toy(tmp_path, requires=("ganzoo-core>=99",))
    index.add(wheel)
    list_in_registry(wheel)
    said = install(environment, index, "toy", "--yes")
    said.is_one_sentence("pip install ganzoo-core==99.0")


def test_a_version_that_is_yanked_or_not_published_is_not_installed(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    wheel = toy(tmp_path)
    index.add(wheel)
    list_in_registry(wheel, latest={"version": "1.0", "wheel": None})
    install(environment, index, "toy", "--yes").is_one_sentence("not published yet")
    list_in_registry(toy(tmp_path, "1.1"), yanked=["1.0"])
    said = install(environment, index, "alices-toy==1.0", "--unlisted", "--yes")
    said.is_one_sentence("yanked")
    assert listed(environment) == []


def test_a_plugin_that_comes_along_must_be_listed_too(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    index.add(plugin_wheel(tmp_path, "mallorys-toy", "1.0", manifest(entry(name="other"))))
    wheel = toy(tmp_path, requires=("ganzoo-core", "mallorys-toy"))
    index.add(wheel)
    list_in_registry(wheel)
    install(environment, index, "toy", "--yes").is_one_sentence("mallorys-toy", "--unlisted")
    assert listed(environment) == []


def test_the_listed_version_is_installed_though_the_index_has_a_newer_one(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    list_in_registry(toy(tmp_path))
    index.add(toy(tmp_path), toy(tmp_path, "2.0"))
    install(environment, index, "toy==2.0", "--yes").is_one_sentence()
    install(environment, index, "alices-toy==2.0", "--yes").is_one_sentence("--unlisted")
    assert install(environment, index, "toy", "--yes").code == 0
    upgrade = install(environment, index, "alices-toy==2.0", "--unlisted", "--yes")
    assert upgrade.code == 0 and "1.0 → 2.0" in upgrade.out


def test_an_index_without_it_or_without_an_answer_is_one_sentence(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    list_in_registry(toy(tmp_path))
    install(environment, index, "toy", "--yes").is_one_sentence("alices-toy")
    said = environment.ganzoo(
        "install", "toy", "--yes", "--index-url", "http://127.0.0.1:9/simple", PIP_RETRIES="0"
    )
    said.is_one_sentence("alices-toy")


def test_an_interrupted_install_changes_nothing_and_can_be_repeated(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    wheel = toy(tmp_path)
    list_in_registry(wheel)
    index.add(wheel)
    index.hold(wheel.name)
    process = subprocess.Popen(
        [environment.python, "-m", "ganzoo_core", "install", "toy", "--yes"],
        env=environment.variables(PIP_INDEX_URL=index.url),
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while f"/files/{wheel.name}" not in index.requests:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in said, said
    assert listed(environment) == []
    index.release()
    assert install(environment, index, "toy", "--yes").code == 0
    assert listed(environment) == ["toy"]


def test_an_environment_without_pip_is_served_by_uv(
    environment: Environment,
    index: PackageIndex,
    wheels: list[Path],
    list_in_registry: ListWheels,
    tmp_path: Path,
) -> None:
    uv = find_uv()
    environment.remove_pip()
    (environment.folder / "uv-receipt.toml").touch()
    list_in_registry(*wheels, tier="official")
    said = install(environment, index, "dcgan", "--yes", UV=uv)
    assert said.code == 0, said.err
    assert "Apache-2.0" in said.out
    assert "uv tool install ganzoo-core --with" in said.out
    assert listed(environment) == ["dcgan", "gan"]
    assert environment.ganzoo("uninstall", "dcgan", "--yes", UV=uv).code == 0
    assert listed(environment) == ["gan"]
    list_in_registry(toy(tmp_path))
    index.add(toy(tmp_path / "other", hooks="# something else"))
    install(environment, index, "toy", "--yes", UV=uv).is_one_sentence("sha256")
    install(environment, index, "nothing", "--unlisted", "--yes", UV=uv).is_one_sentence("nothing")


def test_without_pip_and_uv_one_is_told(
    environment: Environment, index: PackageIndex, list_in_registry: ListWheels, tmp_path: Path
) -> None:
    list_in_registry(toy(tmp_path))
    environment.remove_pip()
    said = install(environment, index, "toy", "--yes", PATH=str(environment.folder / "bin"))
    said.is_one_sentence("neither pip nor uv")


@pytest.mark.parametrize("name", ["toy", "Alices_Toy"])
def test_uninstall_needs_neither_a_manifest_nor_a_plugin_that_can_be_imported(
    environment: Environment, index: PackageIndex, tmp_path: Path, name: str
) -> None:
    wheel = toy(tmp_path, hooks="raise SystemExit(3)")
    assert environment.pip("install", "--no-index", "--no-deps", wheel).code == 0
    (environment.site / "alices_toy" / "ganzoo-plugin.json").write_bytes(b"\xff{")
    environment.ganzoo("uninstall", name).is_one_sentence("--yes")
    said = environment.ganzoo("uninstall", name, "--yes")
    assert said.code == 0, said.err
    assert not (environment.site / "alices_toy").exists()
    environment.ganzoo("uninstall", name, "--yes").is_one_sentence("unknown plugin")


def test_uninstall_removes_nothing_but_plugins(environment: Environment) -> None:
    environment.ganzoo("uninstall", "ganzoo-core", "--yes").is_one_sentence("not a plugin")
    environment.ganzoo("uninstall", "torch", "--yes").is_one_sentence("unknown plugin")


def test_uninstall_says_where_a_plugin_lies_that_it_cannot_remove(
    environment: Environment, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    target = ("--no-index", "--no-deps", "--target", elsewhere)
    assert environment.pip("install", *target, toy(tmp_path)).code == 0
    path = str(elsewhere)
    said = environment.ganzoo("uninstall", "toy", "--yes", PYTHONPATH=path)
    said.is_one_sentence(path)
    assert (elsewhere / "alices_toy").is_dir()


def test_what_plugins_prints_restores_the_set(
    environment: Environment, index: PackageIndex, wheels: list[Path], tmp_path: Path
) -> None:
    index.add(toy(tmp_path))
    names = ("ganzoo-plugin-dcgan", "alices-toy")
    assert environment.pip("install", "--index-url", index.url, *names).code == 0
    assert environment.pip("install", "--index-url", index.url, "ganzoo-core").code == 0
    printed = environment.ganzoo("plugins", "--requirements").out
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(printed)
    assert "ganzoo-plugin-gan==0.1.0" in printed
    other = Environment.create(tmp_path / "other")
    done = other.pip("install", "--index-url", index.url, "--requirement", requirements)
    assert done.code == 0, done.err
    rows = [env.ganzoo("plugins", "--json").json for env in (environment, other)]
    assert rows[0] == rows[1] and len(rows[0]) == 3
    assert json.loads(other.ganzoo("list", "--json").out)["left_out"] == []
