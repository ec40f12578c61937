import importlib.util
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from docs.page import REPOSITORY
from ganzoo_core.cli import COMMANDS
from ganzoo_core.data import SOURCES
from ganzoo_core.plugins import hookspecs
from ganzoo_core.testing import checks

DOCS = REPOSITORY / "docs"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


@pytest.fixture(scope="module")
def site() -> ModuleType:
    """The script that makes pages of the code, without MkDocs."""
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(site: ModuleType) -> dict[str, str]:
    """The text of every page of the site by its place, those that are made included."""
    written = {
        str(path.relative_to(DOCS)): site.with_tables(path.read_text(encoding="utf-8"))
        for path in DOCS.glob("**/*.md")
    }
    made: dict[str, str] = site.made_pages()
    return written | made


def hook_specifications() -> dict[str, str]:
    """Every hook with its signature, as `hookspecs.py` has it."""
    return {
        name: f"{name}{inspect.signature(function)}".replace("'", "")
        for name, function in vars(hookspecs).items()
        if name.startswith("ganzoo_")
    }


@pytest.mark.parametrize("hook", hook_specifications())
def test_the_reference_has_each_hook_with_its_signature(hook: str) -> None:
    text = (DOCS / "hooks.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {hook}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/hooks.md has no section on {hook}"
    assert f"`{hook_specifications()[hook]}`" in section[1]


def test_the_reference_has_no_hook_that_there_is_not() -> None:
    text = (DOCS / "hooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (ganzoo_\w+)$", text, re.MULTILINE)) == set(hook_specifications())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_shown_with_its_help(command: str, pages: dict[str, str]) -> None:
    section = pages["reference/commands.md"].partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    assert f"usage: ganzoo {command} " in section
    assert "examples:" in section


@pytest.mark.parametrize("source", SOURCES)
def test_each_kind_of_data_is_explained(source: str, pages: dict[str, str]) -> None:
    assert f"| `{source}" in pages["data.md"]


def test_each_check_is_listed(pages: dict[str, str]) -> None:
    for check in (*checks.OF_PLUGINS, *checks.OF_COMPONENTS, *checks.OF_VARIANTS):
        assert f"| `{check.__name__}` |" in pages["checks.md"]


def test_each_first_party_plugin_has_pages_for_its_variants(
    site: ModuleType, pages: dict[str, str]
) -> None:
    with_pages = {plugin.name for plugin, _ in site.variants()}
    components_only = {"ganzoo-plugin-timm"}
    ours = {path.name for path in (REPOSITORY / "plugins").iterdir()}
    assert with_pages == ours - components_only
    for plugin, entry in site.variants():
        text = pages[f"variants/{entry['name']}.md"]
        assert text.startswith(f"# {entry['title']}\n")
        for part in (entry["summary"], entry["paper"]["title"], f"`pip install {plugin.name}`"):
            assert part in text
        for preset in entry.get("presets", {}):
            assert f"| `{preset}` |" in text
        for weights in entry.get("pretrained", ()):
            assert f"`{entry['name']}.{weights['tag']}`" in text
        for role in entry["recipe"]["networks"]:
            assert f"\n### {role}\n" in text


@pytest.mark.parametrize(
    "readme", sorted(REPOSITORY.glob("plugins/*/README.md")), ids=lambda path: path.parent.name
)
def test_each_plugin_says_what_it_measured_and_what_differs(readme: Path) -> None:
    headings = re.findall(r"^## (.+)$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:3] == ["The paper", "Use", "Result"]
    assert any(heading.startswith("What differs from the paper") for heading in headings)


def test_a_variants_settings_are_shown_with_the_variants_defaults(pages: dict[str, str]) -> None:
    dcgan = pages["variants/dcgan.md"]
    assert "| `latent_size` | whole number from 1 to 65,536 | `100` |" in dcgan
    assert "| `image_size` | `16`, `32`, `64`, `128` | `64` |" in dcgan
    assert '"betas": [0.5, 0.999]' in dcgan
    assert "`batch_size=128`" in dcgan


def test_no_page_asks_for_a_table_that_is_not_made(site: ModuleType) -> None:
    with pytest.raises(KeyError, match="weather"):
        site.with_tables("<!-- table: weather -->")


def test_the_navigation_lists_every_page(pages: dict[str, str]) -> None:
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(leaves(yaml.safe_load(text)["nav"]))
    of_variants = {page for page in pages if page.startswith("variants/")}
    assert listed - {"variants/index.md"} == pages.keys() - of_variants


def leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for inner in nav.values() if isinstance(nav, dict) else nav:  # type: ignore[attr-defined]
            yield from leaves(inner)


def test_links_and_pictures_of_the_site_lead_somewhere(
    site: ModuleType, pages: dict[str, str]
) -> None:
    others = {str(path.relative_to(DOCS)) for path in DOCS.glob("**/*") if path.is_file()}
    for place, picture in site.pictures().items():
        assert picture.is_file(), f"{picture} is shown and is not there"
        others.add(place)
    for page, text in pages.items():
        for target in links(text):
            path, _, anchor = target.partition("#")
            place = joined(page, path) if path else page
            assert place in pages or place in others, f"{page} links to {target}"
            assert not anchor or anchor in anchors(pages[place]), f"{page} links to {target}"


@pytest.mark.parametrize(
    "readme",
    [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("plugins/*/README.md"))],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_links_and_pictures_of_the_readmes_lead_somewhere(readme: Path) -> None:
    for target in links(readme.read_text(encoding="utf-8")):
        assert (readme.parent / target.partition("#")[0]).exists(), target


def test_a_link_is_found_and_one_in_code_is_not() -> None:
    assert links("see [this](a.md#b) ![and](c.png)") == ["a.md#b", "c.png"]
    assert links("```python\nf[0](x)\n```\n`[not](this)`") == []


def links(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return LINK.findall(re.sub(r"`[^`\n]*`", "", prose))


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


def joined(page: str, path: str) -> str:
    return str((DOCS / page).parent.joinpath(path).resolve().relative_to(DOCS))


class Requests(HTMLParser):
    """What a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(given.get("src") or "")
        elif tag == "link":
            self.found.append(given.get("href") or "")


def test_the_site_builds_strictly_and_asks_nobody_else_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="MkDocs is installed by tox run -e docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    built = sorted(tmp_path.glob("**/*.html"))
    assert tmp_path / "variants/dcgan/index.html" in built
    for page in built:
        requests = Requests()
        requests.feed(page.read_text(encoding="utf-8"))
        elsewhere = [url for url in requests.found if re.match(r"(https?:)?//", url)]
        assert not elsewhere, f"{page} fetches {elsewhere}"
