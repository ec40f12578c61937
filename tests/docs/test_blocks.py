from collections.abc import Callable
from pathlib import Path

import pytest

from docs.blocks import blocks_of
from docs.page import REPOSITORY, Page, check_requirement

Prepared = Callable[[Path], Page]
Write = Callable[[str], Path]

PAGES = [
    REPOSITORY / "README.md",
    *sorted(REPOSITORY.glob("docs/**/*.md")),
    *sorted(REPOSITORY.glob("plugins/*/README.md")),
]


@pytest.mark.parametrize("source", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
@pytest.mark.usefixtures("data")
def test_every_block_does_what_the_page_shows(source: Path, page: Prepared) -> None:
    page(source).run()


BLOCKS_THAT_LIE = {
    "python that raises": ("```python\n1 / 0\n```", "page.md:1: ZeroDivisionError"),
    "python that asserts": ("```python\nassert 1 == 2\n```", "AssertionError"),
    "python with a mistake": ("```python\nx = = 1\n```", "SyntaxError"),
    "a file of python with a mistake": ('```python title="a.py"\nx = = 1\n```', "SyntaxError"),
    "an unknown command": ("```bash\nganzoo trian dcgan\n```", "unknown command"),
    "an unknown option": ("```bash\nganzoo list --colour\n```", "unrecognized arguments"),
    "an unknown variant": ("```bash\nganzoo info dcgn\n```", "did you mean 'dcgan'"),
    "a second line": ("```bash\nganzoo list\nganzoo info dcgn\n```", "did you mean 'dcgan'"),
    "another tool": ("```bash\nrm -rf runs\n```", "no command that the tests know"),
    "a shell line that fails": ("```bash\nganzoo info dcgn | cat\n```", "did you mean 'dcgan'"),
    "somebody else's package": ("```bash\npip install ganzoo\n```", "neither ours"),
    "a package that is not there": ("```bash\npip install ./nowhere\n```", "no project"),
    "a version that is not there": (
        "```bash\npip install 'ganzoo-core>=99'\n```",
        "excludes",
    ),
    "an extra that is not there": (
        "```bash\npip install 'ganzoo-core[everything]'\n```",
        "only the extras",
    ),
    "an unknown option of pip": ("```bash\npip install --user tox\n```", "option --user"),
    "an unknown environment": ("```bash\ntox run -e fly\n```", "no environment fly"),
    "malformed json": ("```json\n{,}\n```", "JSONDecodeError"),
    "malformed toml": ("```toml\na = \n```", "TOMLDecodeError"),
    "malformed yaml": ("```yaml\na: [\n```", "ParserError"),
    "another language": ("```ruby\nputs 1\n```", "'ruby' is none that is checked"),
    "no language": ("```\nanything\n```", "'' is none that is checked"),
    "a file elsewhere": ('```text title="../a.txt"\nhello\n```', "leaves the page's folder"),
    "a transcript of other words": (
        "```console\n$ ganzoo --version\nganzoo-core 99\n```",
        "does not print what is shown",
    ),
    "a transcript of a success": (
        "```console\n$ ganzoo --version\nganzoo: error: …\n```",
        "ended with 0",
    ),
    "a transcript of a failure": (
        "```console\n$ ganzoo info dcgn\n…\n```",
        "ended with 2",
    ),
}


@pytest.mark.parametrize(("text", "said"), BLOCKS_THAT_LIE.values(), ids=BLOCKS_THAT_LIE)
def test_a_block_that_is_not_true_fails(text: str, said: str, page: Prepared, write: Write) -> None:
    with pytest.raises(AssertionError) as failure:
        page(write(text)).run()
    assert said in str(failure.value)


def test_blocks_share_a_namespace_and_a_folder(page: Prepared, write: Write) -> None:
    page(
        write(
            '```json title="deep/a.json"\n{"b": 1}\n```\n'
            "```python\nimport json\nfrom pathlib import Path\n```\n"
            '```python\nassert json.loads(Path("deep/a.json").read_text()) == {"b": 1}\n```\n'
        )
    ).run()


def test_a_block_within_a_list_is_found(write: Write) -> None:
    (block,) = blocks_of(write("- so:\n\n    ```python\n    x = 1\n    ```\n"))
    assert (block.language, block.line, block.text) == ("python", 3, "x = 1\n")


def test_a_comment_shortens_a_training_and_nothing_else(write: Write) -> None:
    shorter = "<!-- run with: --steps 2 -->\n```bash\nganzoo demo\n```\n"
    after = "```bash\nganzoo demo\n```\n"
    assert [block.run_with for block in blocks_of(write(shorter + after))] == ["--steps 2", ""]
    with pytest.raises(ValueError, match="only --steps N or --epochs N"):
        blocks_of(write("<!-- run with: --dry-run -->\n```bash\nganzoo demo\n```\n"))


def test_a_block_that_is_not_closed_is_found(write: Write) -> None:
    with pytest.raises(ValueError, match=r"page\.md:1"):
        blocks_of(write("```python\nx = 1\n"))


@pytest.mark.parametrize(
    "requirement", ["ganzoo-core", "ganzoo-core[all]", "Ganzoo_Plugin.DCGAN>=0.1", "torch", "tox"]
)
def test_what_a_page_may_install(requirement: str) -> None:
    check_requirement(requirement)
