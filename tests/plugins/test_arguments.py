"""What may follow a component's name after a colon, as in `--encoder timm:resnet18`."""

import pytest
from fake_plugins import FakePlugins, GanzooHere, entry, manifest


@pytest.fixture
def toy(ganzoo_here: GanzooHere, plugins: FakePlugins) -> GanzooHere:
    generators = [
        {"name": "toy", "summary": "a toy", "argument": "width"},
        {"name": "plain", "summary": "takes nothing"},
    ]
    plugins.install(content=manifest(entry(), generators=generators))
    return ganzoo_here


def width(toy: GanzooHere, *arguments: str) -> int:
    answer = toy("train", "toy", "--dry-run", "--json", *arguments)
    assert answer.code == 0, answer.err
    return int(answer.json["components"]["generator"]["config"]["width"])


def test_it_is_the_setting_that_the_manifest_names(toy: GanzooHere) -> None:
    assert width(toy, "--generator", "toy:48") == 48
    assert width(toy, "--generator", "somebodys-toy/toy:24") == 24
    assert width(toy, "--generator", "toy") == 1200


def test_a_setting_by_hand_wins(toy: GanzooHere) -> None:
    assert width(toy, "--generator", "toy:48", "--set", "generator.width=8") == 8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("toy:wide", "generator.width cannot be 'wide'"),
        ("toy:", "generator.width cannot be ''"),
        ("plain:3", "takes nothing after a colon"),
        ("tyo:3", "did you mean 'toy'"),
    ],
)
def test_mistakes_are_one_sentence(toy: GanzooHere, name: str, said: str) -> None:
    toy("train", "toy", "--generator", name, "--dry-run").is_one_sentence(said)
