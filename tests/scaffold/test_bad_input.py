"""A mistake gets one sentence and leaves nothing behind."""

from pathlib import Path

import pytest
from fake_plugins import FakePlugins, GanzooHere, entry, manifest

from ganzoo_core.scaffold.names import LONGEST, check_name, proposed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: name"),
        (("",), "cannot be called ''"),
        (("Folding_Paper",), "such as 'folding-paper'"),
        (("folding paper",), "such as 'folding-paper'"),
        (("Café",), "such as 'cafe'"),
        (("folding--paper",), "such as 'folding-paper'"),
        (("folding-",), "such as 'folding'"),
        (("folding\n",), "such as 'folding'"),
        (("3d-folding",), "such as 'folding-3d'"),
        (("2048",), "such as 'gan-2048'"),
        (("../folding",), "such as 'folding'"),
        (("/etc/folding",), "such as 'etc-folding'"),
        (("折り紙",), "cannot be called"),
        (("\x1b[31m",), "cannot be called"),
        (("a" * (LONGEST + 1),), f"can have {LONGEST}"),
        (("a" * 100_000,), f"can have {LONGEST}"),
        (("dcgan",), "a name of the plugin ganzoo-plugin-dcgan"),
        (("gan",), "a name of the plugin ganzoo-plugin-gan"),
        (("minimax", "--kind", "loss"), "a name of the plugin ganzoo-plugin-gan"),
        (("import",), "a word of Python"),
        (("queue",), "a standard module of Python"),
        (("folding", "--kind", "gam"), "did you mean 'gan'"),
        (("folding", "--kind", "diffusion"), "choose one of: autoencoder, gan, loss, translator"),
        (("folding", "--license", "Apache2"), "did you mean 'Apache-2.0'"),
        (("folding", "--license", "mine"), "the licence 'mine'"),
        (("folding", "--license", ""), "the licence ''"),
        (("folding", "--license", "../../etc/passwd"), "the licence '../../etc/passwd'"),
        (("folding", "--author", "two\nlines"), "a single line"),
        (("folding", "--author", "\x07"), "a single line"),
        (("folding", "--out", "file/below"), "cannot be written"),
        (("folding", "--out", "file"), "file exists already"),
        (("folding", "--out", "."), ". exists already"),
        (("folding", "--out", "x" * 300), "cannot be written"),
    ],
)
def test_a_mistake_gets_one_sentence_and_writes_nothing(
    ganzoo_here: GanzooHere, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "file").write_text("precious")
    before = sorted(path.name for path in tmp_path.iterdir())
    ganzoo_here("new", *arguments).is_one_sentence(said)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "precious"


def test_a_folder_that_exists_is_left_as_it_is(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    folder = tmp_path / "ganzoo-plugin-folding"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    ganzoo_here("new", "folding").is_one_sentence("ganzoo-plugin-folding exists already", "--out")
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_link_that_leads_nowhere_is_not_replaced(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    (tmp_path / "ganzoo-plugin-folding").symlink_to("nowhere")
    ganzoo_here("new", "folding").is_one_sentence("exists already")
    assert (tmp_path / "ganzoo-plugin-folding").is_symlink()


def test_a_name_of_an_installed_plugin_is_refused(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install(content=manifest(entry(name="origami", aliases=["paper"])))
    for name in ("origami", "paper", "toy"):  # a variant, its alias, a component
        ganzoo_here("new", name).is_one_sentence(f"'{name}' is already", "somebodys-toy")


def test_a_plugin_that_cannot_be_read_keeps_its_own_name_only(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    plugins.install("ganzoo-plugin-origami", "not JSON")
    ganzoo_here("new", "origami").is_one_sentence("ganzoo-plugin-origami")
    assert ganzoo_here("new", "folding").code == 0


@pytest.mark.parametrize("name", ["FOLD-GP", "My_Variant", "3D Gan", "7", "Größe", "-x-", "É"])
def test_a_proposed_name_is_valid(name: str) -> None:
    check_name(proposed(name), "gan")


def test_a_disk_that_fills_leaves_nothing(
    ganzoo_here: GanzooHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.write_text
    written: list[Path] = []

    def full(self: Path, *arguments: object, **options: object) -> int:
        written.append(self)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return original(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    ganzoo_here("new", "folding").is_one_sentence("no space left", "free some space")
    assert len(written) == 4
    assert not list(tmp_path.glob("*folding*"))
    assert not list(tmp_path.glob(".*folding*"))
