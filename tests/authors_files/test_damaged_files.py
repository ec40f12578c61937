"""A truncated or altered file ends in one sentence, or in content, and never in another error."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import read_authors_file, state_dict_of


def torch_bytes(content: object, *, legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def content() -> dict[str, object]:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2).half())
    return {"net": network, "state": network.state_dict(), "epoch": 3, "loss": [0.5, 0.25]}


FORMATS: dict[str, Callable[[], bytes]] = {
    "zip": lambda: torch_bytes(content(), legacy=False),
    "legacy": lambda: torch_bytes(content()["state"], legacy=True),
    "pickle": lambda: pickle.dumps([*content()["state"].values()]),  # type: ignore[attr-defined]
    "arrays": lambda: pickle.dumps({"v": [("w", np.ones((2, 3))), ("b", np.float32(1))]}, 2),
    "text": lambda: pickle.dumps({"v": [("w", np.ones((2, 3))), ("b", {1, 2.5})]}, 0),
}


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return {name: make() for name, make in FORMATS.items()}


def survives(path: Path, damaged: bytes) -> bool:
    """Read, and return whether there was a content; anything but a sentence or content escapes."""
    path.write_bytes(damaged)
    try:
        found = read_authors_file(path)
        state_dict_of(found)
    except CheckpointError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return "cannot read" not in str(error)
    return True


@pytest.mark.parametrize("name", FORMATS)
def test_the_undamaged_files_are_read(whole: dict[str, bytes], tmp_path: Path, name: str) -> None:
    assert survives(tmp_path / "x", whole[name])


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_refused_wherever_it_was_cut(
    whole: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    full = whole[name]
    step = max(1, len(full) // 300)
    for length in range(0, len(full), step):
        assert not survives(tmp_path / "x", full[:length]), f"cut at {length} of {len(full)}"


@pytest.mark.parametrize("name", FORMATS)
def test_a_flipped_bit_never_ends_in_another_error(
    whole: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    generator = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(whole[name])
        for _ in range(generator.integers(1, 4)):
            damaged[generator.integers(len(damaged))] ^= 1 << generator.integers(8)
        survives(tmp_path / "x", bytes(damaged))


def test_a_flipped_bit_in_a_weight_of_a_zip_archive_is_noticed(tmp_path: Path) -> None:
    full = torch_bytes({"w": torch.full((64,), 1.5)}, legacy=False)
    at = full.index(torch.full((64,), 1.5).numpy().tobytes())
    for offset in (0, 100, 255):
        damaged = bytearray(full)
        damaged[at + offset] ^= 1
        assert not survives(tmp_path / "x", bytes(damaged))


FRAGMENTS = st.sampled_from(
    [
        *(
            b"N",
            b"\x88",
            b")",
            b"]",
            b"}",
            b"(",
            b"\x8f",
            b"K\x02",
            b"M\xff\xff",
            b"J\xff\xff\xff\xff",
        ),
        *(b"X\x01\0\0\0a", b"C\x04abcd", b"G" + bytes(8), b"I7\n", b"S'f4'\n", b"\x8a\x01\x05"),
        *(b"0", b"1", b"2", b"t", b"l", b"d", b"\x85", b"\x86", b"\x87", b"a", b"e", b"s", b"u"),
        *(b"\x90", b"\x91", b"q\0", b"q\1", b"h\0", b"h\1", b"\x94", b"R", b"\x81", b"\x92", b"b"),
        *(b"o", b"Q", b"\x93", b"cos\nsystem\n", b"cbuiltins\nset\n", b"cbuiltins\ncomplex\n"),
        *(b"ccollections\nOrderedDict\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"ia\nb\n"),
        *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n"),
        *(b"cnumpy.core.numeric\n_frombuffer\n", b"ctorch\nSize\n", b"ccopyreg\n_reconstructor\n"),
        *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_tensor_v3\n"),
        *(b"ctorch._tensor\n_rebuild_from_type_v2\n", b"ctorch.storage\n_load_from_bytes\n"),
        b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n",
    ]
)


@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(FRAGMENTS, max_size=40))
def test_no_sequence_of_instructions_ends_in_another_error(
    tmp_path: Path, fragments: list[bytes]
) -> None:
    survives(tmp_path / "x", b"".join(fragments) + b".")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_no_sequence_of_bytes_ends_in_another_error(tmp_path: Path, noise: bytes) -> None:
    survives(tmp_path / "x", noise)
