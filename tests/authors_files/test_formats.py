"""What torch, pickle and numpy write is read back exactly, whatever the format and its age."""

import argparse
import collections
import pickle
import struct
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import Inert, Named, read_authors_file

REAL = (
    *("cyclegan_d", "cyclegan_g", "dcgan_g", "disvae_real_factor_dsprites", "genforce_pggan"),
    *("genforce_stylegan", "lucidrains_dalle", "lucidrains_dvae", "pix2pix_g"),
    *("stylegan1_rosinality", "wild"),
)

TYPES = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32),
    *(torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128),
)


def save(content: object, path: Path, *, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def read(path: Path) -> object:
    return read_authors_file(path).content


@pytest.mark.parametrize("folder", REAL)
def test_a_real_checkpoint_is_read_as_torch_reads_it(
    shared: Path, same: Callable[[object, object], bool], folder: str
) -> None:
    files = [
        path
        for path in sorted((shared / "checkpoints" / folder).rglob("*"))
        if path.suffix in (".pth", ".pt")
    ]
    assert files
    for path in files:
        expected = torch.load(path, map_location="cpu", weights_only=True)
        assert same(read(path), expected), path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_stored_type_is_kept(tmp_path: Path, dtype: torch.dtype, legacy: bool) -> None:
    saved = {"w": torch.arange(-3, 9).to(dtype).reshape(3, 4), "b": torch.ones((), dtype=dtype)}
    found = read(save(saved, tmp_path / "x.pth", legacy=legacy))
    assert isinstance(found, dict)
    assert found["w"].dtype == dtype and torch.equal(found["w"], saved["w"])
    assert found["b"].shape == () and torch.equal(found["b"], saved["b"])


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.float8_e4m3fn], ids=str)
def test_types_without_a_storage_class_are_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    saved = torch.arange(6).to(dtype).reshape(2, 3)
    found = read(save({"w": saved}, tmp_path / "x.pth"))
    assert isinstance(found, dict) and found["w"].dtype == dtype
    assert torch.equal(found["w"].float(), saved.float())


@pytest.mark.parametrize("legacy", [False, True])
def test_views_keep_their_layout_and_their_common_storage(tmp_path: Path, legacy: bool) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    saved = {
        "base": base,
        "transposed": base.t(),
        "slice": base[1:3, ::2],
        "tied": base,
        "expanded": torch.ones(1, 5).expand(7, 5),
        "empty": torch.empty(0, 3),
    }
    found = read(save(saved, tmp_path / "x.pth", legacy=legacy))
    assert isinstance(found, dict) and list(found) == list(saved)
    for name, tensor in saved.items():
        assert torch.equal(found[name], tensor) and found[name].stride() == tensor.stride()
    assert found["tied"].data_ptr() == found["base"].data_ptr()
    assert found["slice"].untyped_storage().data_ptr() == found["base"].data_ptr()


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_of_a_graphics_card_arrive_on_the_cpu(
    tmp_path: Path, legacy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:3")
    path = save({"w": torch.ones(3)}, tmp_path / "x.pth", legacy=legacy)
    assert b"cuda:3" in path.read_bytes()
    found = read(path)
    assert isinstance(found, dict)
    assert found["w"].device.type == "cpu" and torch.equal(found["w"], torch.ones(3))


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_values_and_containers_come_as_they_are(
    tmp_path: Path, same: Callable[[object, object], bool], legacy: bool
) -> None:
    saved = {
        "numbers": [1, -(2**40), 2**70, 0.5, float("inf"), True, None],
        "text": ("näme", "", "\U0001f600"),
        "bytes": [b"\x00\xff", b"", bytearray(b"ab")],
        "sets": [{1, 2}, frozenset({"a"}), set()],
        3: {(0, "pair"): 1j},
        None: ((), [], {}),
    }
    assert same(read(save(saved, tmp_path / "x.pth", legacy=legacy)), saved)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_every_protocol_are_read(
    tmp_path: Path, same: Callable[[object, object], bool], protocol: int
) -> None:
    one = ["shared"]
    saved = {"a": [1, 300, 70000, -1, 2**80, 1.5, True], "b": (one, one), "c": {"x", b"y"}}
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(saved, protocol=protocol))
    found = read_authors_file(path)
    assert found.format == "pickle" and same(found.content, saved)
    assert isinstance(found.content, dict)
    assert found.content["b"][0] is found.content["b"][1]


def test_subclasses_of_dictionaries_come_as_dictionaries(tmp_path: Path) -> None:
    default: dict[str, int] = collections.defaultdict(int, a=1)
    ordered = collections.OrderedDict([("z", 1), ("a", 2)])
    found = read(save([default, ordered], tmp_path / "x.pth"))
    assert found == [{"a": 1}, {"z": 1, "a": 2}]
    assert isinstance(found, list) and all(type(entry) is dict for entry in found)


@pytest.mark.parametrize("legacy", [False, True])
def test_the_versions_that_a_state_dict_carries_do_no_harm(tmp_path: Path, legacy: bool) -> None:
    saved = torch.nn.BatchNorm2d(3).state_dict()
    assert hasattr(saved, "_metadata")
    found = read(save(saved, tmp_path / "x.pth", legacy=legacy))
    assert isinstance(found, dict) and list(found) == list(saved)
    assert found["num_batches_tracked"].dtype == torch.int64


def test_parameters_come_as_tensors(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter_with_state = torch.nn.Parameter(torch.ones(2))
    parameter_with_state.note = "kept by torch, not by us"  # type: ignore[attr-defined]
    found = read(save([parameter, parameter_with_state], tmp_path / "x.pth"))
    assert isinstance(found, list)
    assert [type(tensor) for tensor in found] == [torch.Tensor, torch.Tensor]
    assert torch.equal(found[0], torch.ones(3)) and torch.equal(found[1], torch.ones(2))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.float64).reshape(3, 4)),
        np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(1, 2, 0),
        np.arange(6, dtype=">i4"),
        np.array(3.5, dtype=np.float16),
        np.zeros((0, 4), dtype=np.uint8),
        np.array([True, False]),
        np.array([1 + 2j]),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_numpy_arrays_are_read(tmp_path: Path, array: np.ndarray, protocol: int) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps([array, array], protocol=protocol))
    found = read(path)
    assert isinstance(found, list) and found[0] is found[1]
    assert found[0].dtype == array.dtype and np.array_equal(found[0], array)
    assert found[0].flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize("protocol", range(6))
def test_numpy_numbers_are_read(tmp_path: Path, protocol: int) -> None:
    saved = [np.float64(0.1), np.int64(-7), np.float32(2.5), np.bool_(True)]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(saved, protocol=protocol))
    found = read(path)
    assert isinstance(found, list) and found == saved
    assert [type(number) for number in found] == [type(number) for number in saved]


def test_arrays_that_python_2_pickled_are_read(tmp_path: Path) -> None:
    content = (
        b"cnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntS'b'\ntRp3\n"
        b"(I1\n(I1\nI2\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntRp4\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        b"I00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00\\xc0'\ntb."
    )
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    found = read(path)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert found.tolist() == [[1.0, -2.0]]


@pytest.mark.parametrize(
    "array", [np.array([{}]), np.array(["text"]), np.zeros(2, dtype="f4,i4")], ids=str
)
def test_arrays_that_are_no_numbers_stay_records(tmp_path: Path, array: np.ndarray) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"a": array, "b": 1}))
    found = read(path)
    assert isinstance(found, dict) and isinstance(found["a"], Inert) and found["b"] == 1


@pytest.mark.parametrize("protocol", range(2, 6))
def test_tensors_in_a_plain_pickle_are_read(tmp_path: Path, protocol: int) -> None:
    saved = {"w": torch.arange(6.0).reshape(2, 3).half(), "p": torch.nn.Parameter(torch.ones(2))}
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(saved, protocol=protocol))
    assert b"_load_from_bytes" in path.read_bytes()
    found = read(path)
    assert isinstance(found, dict)
    assert found["w"].dtype == torch.float16 and torch.equal(found["w"], saved["w"])
    assert torch.equal(found["p"], torch.ones(2))


def test_a_parameter_of_torch_0_3_comes_as_its_tensor(tmp_path: Path) -> None:
    flat = (
        b"ctorch._utils\n_rebuild_tensor\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
        b"X\x01\0\0\x000X\x06\0\0\0cuda:0K\x04NtQK\0K\x02K\x02\x86K\x02K\x01\x86tR"
    )
    state = b"(\x88\x89ccollections\nOrderedDict\n)Rt"
    parameter = b"ctorch.nn.parameter\nParameter\n" + flat + b"\x85R" + state + b"b."
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    content = b"".join(pickle.dumps(part, protocol=2) for part in head)
    content += parameter + pickle.dumps(["0"], protocol=2)
    path = tmp_path / "x.pth"
    path.write_bytes(content + struct.pack("<q4f", 4, 1, 2, 3, 4))
    assert torch.equal(read(path), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


@pytest.mark.parametrize("legacy", [False, True])
def test_settings_beside_the_weights_stay_records_with_their_attributes(
    tmp_path: Path, legacy: bool
) -> None:
    saved = {"opt": argparse.Namespace(lr=0.1, gpu_ids=[0]), "w": torch.ones(1)}
    found = read(save(saved, tmp_path / "x.pth", legacy=legacy))
    assert isinstance(found, dict)
    options = found["opt"]
    assert isinstance(options, Inert) and options.path == "argparse.Namespace"
    assert options.attributes() == {"lr": 0.1, "gpu_ids": [0]}
    assert options.get("lr") == 0.1 and options.get("absent", 7) == 7
    assert not hasattr(options, "lr")


def test_a_class_that_a_file_names_is_two_strings(tmp_path: Path) -> None:
    found = read(save({"optimizer": torch.optim.Adam, "type": torch.float16}, tmp_path / "x.pth"))
    assert found == {
        "optimizer": Named("torch.optim.adam", "Adam"),
        "type": Named("torch", "float16"),
    }


def test_a_subclass_of_a_container_keeps_what_it_holds(
    tmp_path: Path, foreign_module: Callable[..., types.ModuleType]
) -> None:
    easy_dict = type("EasyDict", (dict,), {})
    stack = type("Stack", (list,), {})
    foreign_module("dnnlib.util", EasyDict=easy_dict, Stack=stack)
    saved = [easy_dict(a=1), stack([1, 2])]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(saved))
    found = read(path)
    assert isinstance(found, list)
    assert found[0].path == "dnnlib.util.EasyDict" and found[0].attributes() == {"a": 1}
    assert found[1].path == "dnnlib.util.Stack" and found[1].items == [1, 2]


def test_an_object_with_slots_keeps_them(
    tmp_path: Path, foreign_module: Callable[..., types.ModuleType]
) -> None:
    slotted = type("Slotted", (), {"__slots__": ("width",)})
    foreign_module("authors.code", Slotted=slotted)
    thing = slotted()
    thing.width = 3
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(thing))
    found = read(path)
    assert isinstance(found, Inert) and found.get("width") == 3


def test_safetensors_are_passed_through(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2, 3).half()}, tmp_path / "model.safetensors")
    found = read_authors_file(tmp_path / "model.safetensors")
    assert found.format == "safetensors"
    assert isinstance(found.content, dict) and found.content["w"].dtype == torch.float16


def test_the_format_is_said(tmp_path: Path) -> None:
    said = {
        read_authors_file(save({}, tmp_path / "new")).format,
        read_authors_file(save({}, tmp_path / "old", legacy=True)).format,
    }
    assert said == {"torch zip archive", "torch file from before 1.6"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"\x1f\x8b\x08" + bytes(100), "gzip"),
        (b"\x93NUMPY" + bytes(100), "numpy array"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1\x0f\0\0\0torch.CudaTensor", "Lua torch"),
        (bytes(257) + b"ustar\x0000" + bytes(1000), "tar archive"),
        (b"PK\x03\x04 but no archive", "zip archive without its end"),
        (b"just some text\n", "cannot read"),
    ],
)
def test_another_kind_of_file_is_refused_by_its_name(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence) as refusal:
        read_authors_file(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        read_authors_file(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="not a file"):
        read_authors_file(tmp_path)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = save({"w": torch.ones(1000)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="more than 1000"):
        read_authors_file(path, max_bytes=1000)
    read_authors_file(path, max_bytes=path.stat().st_size)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_another_byte_order_is_refused(tmp_path: Path, legacy: bool) -> None:
    if legacy:
        head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": False}, {}, []]
        content = b"".join(pickle.dumps(part, protocol=2) for part in head)
        (tmp_path / "x.pth").write_bytes(content)
    else:
        import zipfile

        with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
            archive.writestr("archive/data.pkl", b"N.")
            archive.writestr("archive/byteorder", b"big")
    with pytest.raises(CheckpointError, match="big-endian"):
        read_authors_file(tmp_path / "x.pth")


def test_reading_leaves_gradients_and_random_state_alone(tmp_path: Path) -> None:
    path = save({"w": torch.nn.Parameter(torch.ones(2))}, tmp_path / "x.pth")
    before = torch.get_rng_state()
    found = read(path)
    assert isinstance(found, dict) and not found["w"].requires_grad
    assert torch.equal(torch.get_rng_state(), before)


def test_importing_the_reader_does_not_import_torch() -> None:
    code = "import sys, ganzoo_core.hub.authors_files; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
