"""Whatever a registry or a manifest says: a sentence or an answer, and no file elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import FakePlugins, GanzooHere, manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Registry = dict[str, Any]

FUZZ = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["../../x", "/etc/passwd", "\x1b[2J", "\ud800", "__import__('os')", "a" * 9999]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything within a JSON value."""
    found = [path]
    steps: Any = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a JSON value with something else at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "cache" not in path.parts}


def answered(said: Any) -> None:
    """Check that a command has ended as one may end, and not by a defect."""
    assert said.code in (0, 1, 2), said
    for text in (said.out, said.err):
        assert "Traceback" not in text and "defect" not in text, said
        assert "\x1b" not in text


def use_commands(ganzoo: GanzooHere, path: Path) -> None:
    for command in (
        ("search", "gan"),
        ("search", "toy", "--json"),
        ("info", "gan-of-nobody"),
        ("registry", "validate", path),
        ("registry", "update"),
        ("install", "dcgan", "--dry-run"),
    ):
        answered(ganzoo(*command))


@FUZZ
@given(data=st.data())
def test_a_changed_registry_is_answered(
    ganzoo_here: GanzooHere, ours: Registry, use: Callable[[Registry], Path], data: st.DataObject
) -> None:
    small = ours | {"papers": ours["papers"][:2]}
    path = use(small)
    before = files(path.parent)
    place = data.draw(st.sampled_from(places(small)))
    content = replaced(small, place, data.draw(JSON))
    path.write_text(json.dumps(content), encoding="utf-8")
    use_commands(ganzoo_here, path)
    assert files(path.parent) == before


@FUZZ
@given(text=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_text_in_place_of_a_registry_is_answered(
    ganzoo_here: GanzooHere, ours: Registry, use: Callable[[Registry], Path], text: bytes
) -> None:
    path = use(ours)
    path.write_bytes(text)
    use_commands(ganzoo_here, path)


@pytest.fixture
def installed(plugins: FakePlugins) -> Path:
    folder = plugins.install("somebodys-toy", manifest(), hooks="raise SystemExit('imported')")
    return folder / "ganzoo-plugin.json"


@FUZZ
@given(data=st.data())
def test_a_changed_manifest_is_answered_and_no_code_is_run(
    ganzoo_here: GanzooHere, installed: Path, data: st.DataObject
) -> None:
    original = manifest()
    place = data.draw(st.sampled_from(places(original)))
    content = replaced(original, place, data.draw(JSON))
    installed.write_text(json.dumps(content), encoding="utf-8")
    for command in (
        ("list",),
        ("list", "--json"),
        ("list", "--pretrained"),
        ("info", "toy"),
        ("info", "somebodys-toy/toy", "--json"),
        ("search", "toy"),
        ("plugins",),
        ("uninstall", "toy"),
    ):
        answered(ganzoo_here(*command))


@FUZZ
@given(text=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_text_in_place_of_a_manifest_is_answered(
    ganzoo_here: GanzooHere, installed: Path, text: bytes
) -> None:
    installed.write_bytes(text)
    for command in (("list",), ("info", "toy"), ("plugins", "--json"), ("search", "toy")):
        answered(ganzoo_here(*command))
    said = ganzoo_here("list", "--json").json
    shown = {row["plugin"] for row in said["variants"] + said["left_out"]}
    assert "somebodys-toy" in shown or text.strip().startswith(b"{")


@pytest.mark.parametrize(
    "name",
    [
        "https://example.org/x.whl",
        "x @ https://example.org/x.whl",
        "./x.whl",
        "../../etc",
        "--help-me",
        "-r/etc/passwd",
        "x\ny",
        "",
        "a/b/c",
        "x y",
    ],
)
def test_what_is_no_name_never_reaches_an_installer(
    ganzoo_here: GanzooHere, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an installer was started")

    monkeypatch.setattr("ganzoo_core.registry.installers.subprocess.Popen", refuse)
    ganzoo_here("install", "--unlisted", "--yes", "--", name).is_one_sentence()
