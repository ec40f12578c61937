"""A CLIP that others published on the Hub, of timm's organisation, judges what DALL-E draws."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_server import HubServer
from safetensors.torch import save

SIZES = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 32,
        "layers": 1,
        "width": 64,
        "head_width": 32,
        "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 1,
    },
}


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    open_clip = pytest.importorskip("open_clip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = open_clip.CLIP(**SIZES)
    means = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
    config = {"model_cfg": SIZES, "preprocess_cfg": means}
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with HubServer() as server:
        server.add(
            "timm/tiny_clip",
            {
                "open_clip_config.json": json.dumps(config).encode(),
                "open_clip_model.safetensors": save(weights),
            },
        )
        yield server


def sample(hub: HubServer, folder: Path, reranker: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ganzoo_core", "sample", "dalle.scenes"]
    command += ["--text", "a red circle", "-n", "1", "--rerank", "3", "--reranker", reranker]
    return subprocess.run(
        [*command, "--out", "it.png"],
        cwd=folder,
        env=hub.environment(folder / "home"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_best_by_a_clip_of_timm_is_kept_and_its_score_said(
    hub: HubServer, tmp_path: Path
) -> None:
    done = sample(hub, tmp_path, "hub:timm/tiny_clip")
    assert done.returncode == 0, done.stderr
    assert "the best of 3, scores" in done.stdout
    assert (tmp_path / "it.png").is_file()
    assert any("tiny_clip" in path for path in hub.paths("GET"))


def test_a_clip_that_is_not_there_is_told_in_a_sentence(hub: HubServer, tmp_path: Path) -> None:
    done = sample(hub, tmp_path, "hub:timm/no_clip")
    assert done.returncode == 2
    assert "timm/no_clip cannot be had as a CLIP" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "it.png").exists()
