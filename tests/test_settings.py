"""How settings are laid over each other."""

from pydantic import Field

from ganzoo_core.blueprint import draw_up, restore
from ganzoo_core.components.config import Config
from ganzoo_core.plugins import read_installed
from ganzoo_core.settings import checked, distributed


class Optimizer(Config):
    name: str = "adam"
    learning_rate: float = 0.001
    momentum: float = 0.5


class Part(Config):
    optimizer: Optimizer = Optimizer()
    batch_sizes: dict[int, int] = Field(default={8: 16, 16: 8})


def laid(*layers: dict[str, object]) -> Part:
    models: dict[str, type[Config]] = {"trainer": Part}
    config = checked("trainer", Part, *(distributed(layer, models)["trainer"] for layer in layers))
    assert isinstance(config, Part)
    return config


def test_a_mapping_that_is_given_whole_replaces_the_default() -> None:
    assert laid({"trainer.batch_sizes": {"32": 4}}).batch_sizes == {32: 4}
    assert laid({"trainer.batch_sizes": {}}).batch_sizes == {}


def test_a_table_of_a_part_gives_its_mappings_whole() -> None:
    assert laid({"trainer": {"batch_sizes": {"32": 4}}}).batch_sizes == {32: 4}
    assert laid({"trainer": {"batch_sizes": {}}}).batch_sizes == {}


def test_a_path_without_a_part_gives_a_mapping_whole() -> None:
    assert laid({"batch_sizes": {"32": 4}}).batch_sizes == {32: 4}


def test_a_dotted_path_changes_one_entry() -> None:
    assert laid({"trainer.batch_sizes.16": 2}).batch_sizes == {8: 16, 16: 2}
    assert laid({"trainer.batch_sizes.32": 4}).batch_sizes == {8: 16, 16: 8, 32: 4}


def test_the_last_layer_replaces_or_changes_what_those_below_gave() -> None:
    preset = {"trainer.batch_sizes": {"4": 1, "8": 2}}
    assert laid(preset, {"trainer.batch_sizes": {}}).batch_sizes == {}
    assert laid(preset, {"trainer.batch_sizes": {"16": 3}}).batch_sizes == {16: 3}
    assert laid(preset, {"trainer.batch_sizes.8": 5}).batch_sizes == {4: 1, 8: 5}


def test_an_entry_changes_within_one_layer_too_and_the_givers_mapping_stays() -> None:
    given = {"4": 1, "8": 2}
    config = laid({"trainer.batch_sizes": given, "trainer.batch_sizes.8": 5})
    assert config.batch_sizes == {4: 1, 8: 5}
    assert given == {"4": 1, "8": 2}


def test_a_table_of_settings_keeps_what_is_not_named() -> None:
    preset = {"trainer.optimizer": {"learning_rate": 0.1}}
    config = laid(preset, {"trainer": {"optimizer": {"momentum": 0.9}}})
    assert config.optimizer == Optimizer(learning_rate=0.1, momentum=0.9)


def test_a_table_of_another_name_starts_anew() -> None:
    other = {"trainer.optimizer": {"name": "sgd", "momentum": 0.9}}
    config = laid({"trainer.optimizer.learning_rate": 0.1}, other)
    assert config.optimizer == Optimizer(name="sgd", momentum=0.9)
    later = laid(other, {"trainer.optimizer": {"learning_rate": 0.2}})
    assert later.optimizer == Optimizer(name="sgd", learning_rate=0.2, momentum=0.9)


def test_a_run_remembers_a_mapping_as_it_was_given() -> None:
    installed = read_installed()
    for given in ({}, {"8": 4}):
        blueprint = draw_up(installed, "progan", {"trainer.batch_sizes": given})
        again = restore(installed, blueprint.to_json(), "run.json")
        assert again.to_json() == blueprint.to_json()
        assert again.to_json()["components"]["trainer"]["config"]["batch_sizes"] == given
