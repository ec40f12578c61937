"""The weights and the constructor's arguments of a network are found, however it was pickled."""

import pickle
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import (
    AuthorsFile,
    Inert,
    constructor_of,
    read_authors_file,
    state_dict_of,
)

ForeignModule = Callable[..., types.ModuleType]


class Encoder(nn.Module):
    """A network as authors write it: nested, with a buffer that is not saved and a tied layer."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))
        self.heads = nn.ModuleDict({"mean": nn.Linear(width, 2, bias=False)})
        self.tied = self.heads["mean"]
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("grid", torch.arange(3.0))
        self.register_buffer("cache", torch.zeros(5), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(expected) and all(
        found[name].dtype == expected[name].dtype and torch.equal(found[name], expected[name])
        for name in expected
    )


def saved(content: object, path: Path, *, legacy: bool = False) -> AuthorsFile:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return read_authors_file(path)


def pickled(content: object, path: Path, protocol: int = 4) -> AuthorsFile:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return read_authors_file(path)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module_gives_its_state_dict(
    tmp_path: Path, foreign_module: ForeignModule, monkeypatch: pytest.MonkeyPatch, legacy: bool
) -> None:
    foreign_module("dall_e.encoder", Encoder=Encoder)
    network = Encoder(6).half()
    found = saved(network, tmp_path / "encoder.pkl", legacy=legacy)
    assert isinstance(found.content, Inert) and found.content.path == "dall_e.encoder.Encoder"
    assert equal(state_dict_of(found), network.state_dict())


def test_the_settings_of_a_whole_module_are_its_attributes(
    tmp_path: Path, foreign_module: ForeignModule
) -> None:
    foreign_module("dall_e.encoder", Encoder=Encoder)
    built = constructor_of(saved(Encoder(6).eval(), tmp_path / "encoder.pkl"))
    assert built.path == "dall_e.encoder.Encoder"
    assert built.attributes == {"training": False, "width": 6}
    assert (built.args, built.kwargs, built.source) == ((), {}, None)


def test_the_prefix_of_data_parallel_is_taken_off(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    wrapped = nn.DataParallel(network)
    as_dict = state_dict_of(saved(wrapped.state_dict(), tmp_path / "state.pth"))
    as_module = state_dict_of(saved(wrapped, tmp_path / "module.pth"))
    assert equal(as_dict, network.state_dict()) and equal(as_module, network.state_dict())


def test_a_layer_that_is_called_module_keeps_its_name(tmp_path: Path) -> None:
    tensors = {"module.weight": torch.ones(1), "scale": torch.ones(1)}
    assert list(state_dict_of(saved(tensors, tmp_path / "x.pth"))) == list(tensors)


def test_keys_lead_through_dictionaries_modules_and_tuples(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1)))
    content = {"epoch": 3, "nets": ({"netEC": network}, None)}
    found = saved(content, tmp_path / "x.pth")
    assert equal(state_dict_of(found, "nets", 0, "netEC"), network.state_dict())
    assert equal(state_dict_of(found, "nets", 0, "netEC", "1"), network[1].state_dict())
    assert equal(state_dict_of(found.content, "nets", 0, "netEC", "0"), network[0].state_dict())


def test_a_wrong_key_is_said_with_what_is_there(tmp_path: Path) -> None:
    found = saved({"netG": {"w": torch.ones(1)}, "epoch": 1}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"no 'netD' but a dictionary of 'netG', 'epoch'"):
        state_dict_of(found, "netD")
    with pytest.raises(CheckpointError, match=r"no named tensors but a dictionary of 'netG'"):
        state_dict_of(found)
    with pytest.raises(CheckpointError, match=r"x\.pth\['epoch'\] there are no named tensors"):
        state_dict_of(found, "epoch")
    with pytest.raises(CheckpointError, match="no pickled object but a dictionary"):
        constructor_of(found, "netG")


def test_what_stands_between_the_tensors_is_left_out(tmp_path: Path) -> None:
    content = {"w": torch.ones(2), "epoch": 3, 7: torch.ones(1), "mean": np.ones(2, ">f4")}
    found = state_dict_of(saved(content, tmp_path / "x.pth"))
    assert equal(found, {"w": torch.ones(2), "mean": torch.ones(2)})


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_torchscript_gives_its_state_dict(tmp_path: Path) -> None:
    class Scripted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
            self.scale = nn.Parameter(torch.full((2,), 0.5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x) * self.scale[:, None, None]

    network = Scripted().eval()
    torch.jit.trace(network, torch.zeros(1, 1, 4, 4)).save(str(tmp_path / "model.pt"))
    found = read_authors_file(tmp_path / "model.pt")
    assert found.format == "TorchScript archive"
    tensors, expected = state_dict_of(found), network.state_dict()
    assert set(tensors) == set(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


class Persistent(nn.Linear):
    """Pickles as NVlabs' persistent classes do: with its source, its arguments and its state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._init_args, self._init_kwargs = args, kwargs

    def __reduce__(self) -> tuple[object, ...]:
        from torch_utils import persistence

        meta = {
            "type": "class",
            "version": 6,
            "module_src": "raise SystemExit('this source must never run')",
            "class_name": "Generator",
            "state": self.__dict__,
        }
        return persistence._reconstruct_persistent_obj, (meta,), None


@pytest.fixture
def persistence(foreign_module: ForeignModule) -> None:
    def reconstruct(meta: object) -> None:
        raise AssertionError("a persistent object was rebuilt")

    foreign_module("torch_utils.persistence", _reconstruct_persistent_obj=reconstruct)


@pytest.mark.usefixtures("persistence")
def test_an_nvlabs_network_gives_its_weights_and_arguments(tmp_path: Path) -> None:
    network = Persistent(3, out_features=2)
    network.add_module("mapping", Persistent(2, 1))
    path = tmp_path / "network.pkl"
    found = pickled({"G": None, "G_ema": network, "augment_pipe": None}, path)
    assert equal(state_dict_of(found, "G_ema"), network.state_dict())
    assert "mapping.weight" in state_dict_of(found, "G_ema")
    built = constructor_of(found, "G_ema")
    assert (built.path, built.args, built.kwargs) == ("Generator", (3,), {"out_features": 2})
    assert built.source is not None and "must never run" in built.source
    assert constructor_of(found, "G_ema", "mapping").args == (2, 1)


class Network:
    """Pickles as NVlabs' TensorFlow networks do: with its source and a list of variables."""

    def __init__(self, name: str, variables: dict[str, np.ndarray], **components: object) -> None:
        self.state = {
            "version": 4,
            "name": name,
            "static_kwargs": {"resolution": 1024, "latent_size": 512},
            "components": components,
            "build_module_src": "raise SystemExit('this source must never run')",
            "build_func_name": "G_style",
            "variables": list(variables.items()),
        }

    def __getstate__(self) -> dict[str, object]:
        return self.state


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_tensorflow_network_of_nvlabs_gives_its_variables(
    tmp_path: Path, foreign_module: ForeignModule, protocol: int
) -> None:
    foreign_module("dnnlib.tflib.network", Network=Network)
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    mapping = Network("G_mapping", {"Dense0/weight": weight, "Dense0/bias": weight[0]})
    averaged = Network("Gs", {"lod": np.float32(0), "b": weight[:, 1]}, m=mapping)
    found = pickled((None, None, averaged), tmp_path / "karras.pkl", protocol)
    tensors = state_dict_of(found, 2)
    assert list(tensors) == ["lod", "b", "G_mapping/Dense0/weight", "G_mapping/Dense0/bias"]
    assert torch.equal(tensors["G_mapping/Dense0/weight"], torch.from_numpy(weight))
    assert tensors["b"].tolist() == [1.0, 4.0]
    built = constructor_of(found, 2)
    assert built.path == "G_style"
    assert built.kwargs == {"resolution": 1024, "latent_size": 512}
    assert built.attributes["name"] == "Gs" and built.source is not None


def test_a_real_file_with_a_pickled_config_gives_both(shared: Path) -> None:
    path = shared / "checkpoints" / "pgan_zoo_g" / "checkpoint.pth"
    found = read_authors_file(path)
    tensors, built = state_dict_of(found, "avgG"), constructor_of(found, "config")
    assert len(tensors) == 30 and "formatLayer.module.weight" in tensors
    assert built.path == "models.utils.config.BaseConfig"
    assert built.attributes["depthScale0"] == 32 and built.attributes["lossCriterion"] == "WGANGP"


def test_tensors_of_a_state_dict_load_into_the_network(tmp_path: Path) -> None:
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    target.load_state_dict(state_dict_of(saved(source, tmp_path / "x.pth")), strict=True)
    x = torch.ones(1, 3)
    assert torch.equal(source(x), target(x))
