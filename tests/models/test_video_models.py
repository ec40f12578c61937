"""What models of videos can do, told by networks whose answers are known: none is DrNet's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_plugins import Answer, FakePlugins, GanzooHere, entry, manifest
from PIL import Image

import ganzoo_core
from ganzoo_core import Model
from ganzoo_core.errors import UnsupportedError

SIZE, STEP = 4, 0.125

HOOKS = """
from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component):
    from pydantic import Field
    from ganzoo_core.components import Config

    class Settings(Config):
        image_size: int = Field(default=4, ge=1)
        channels: int = Field(default=1, ge=1)

    return Settings


@hookimpl
def ganzoo_encoder(component, config):
    import torch
    from ganzoo_core.components import Code, Encoder

    class Corner(Encoder):
        # Content is the shade of the upper left corner, pose that of the lower right one.
        def __init__(self):
            super().__init__()
            self.image_shape = (config.channels, config.image_size, config.image_size)
            self.latent_shape = (1,)
            self.weight = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self, images):
            place = 0 if component == "upper" else -1
            return Code(self.weight * images[:, :1, place, place], maps=(images,))

    return Corner()


@hookimpl
def ganzoo_composer(component, config):
    import torch
    from ganzoo_core.components import Composer

    class Halves(Composer):
        def __init__(self):
            super().__init__()
            self.image_shape = (config.channels, config.image_size, config.image_size)
            self.content_shape = self.pose_shape = (1,)
            self.weight = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self, content, pose):
            half = torch.ones(len(pose), config.channels, config.image_size // 2, config.image_size)
            above, below = (v[:, :, None, None] * half for v in (content.mean, pose))
            return self.weight * torch.cat([above, below], 2)

    return Halves()


@hookimpl
def ganzoo_predictor(component, config):
    import torch
    from ganzoo_core.components import NoisyModule, Predictor

    class Onwards(Predictor, NoisyModule):
        def __init__(self):
            super().__init__()
            self.predicts_frames = component != "poses"
            shape = (config.channels, config.image_size, config.image_size)
            self.latent_shape = shape if self.predicts_frames else (1,)
            self.content_shape = () if self.predicts_frames else (1,)
            self.weight = torch.nn.Parameter(torch.tensor(0.125))

        def forward(self, past, future, content=None):
            assert (content is None) == self.predicts_frames
            ahead = [past[:, -1] + (k + 1) * self.weight for k in range(future)]
            if component == "noisy":
                ahead = [frame + self.drawn_from().uniform(len(past), 1, 1, 1) for frame in ahead]
            return torch.stack(ahead, 1)

    return Onwards()
"""
ROLES = {
    "content": ("encoder", "upper"),
    "pose": ("encoder", "lower"),
    "composer": ("composer", "halves"),
    "predictor": ("predictor", "poses"),
}


Install = Callable[..., Model]


@pytest.fixture
def install(plugins: FakePlugins, ganzoo_here: GanzooHere) -> Install:
    def installed(**roles: tuple[str, str]) -> Model:
        networks = {r: {"kind": kind, "component": name} for r, (kind, name) in roles.items()}
        trainer = "ganzoo-plugin-gan/adversarial"
        recipe = {"networks": networks, "trainer": trainer, "inference": list(roles)}
        variant = entry(recipe=recipe, verbs=["swap"], task="video-prediction")
        components: dict[str, list[dict[str, str]]] = {}
        for kind, name in roles.values():
            components.setdefault(f"{kind}s", []).append({"name": name, "summary": name})
        plugins.install(content=manifest(variant, **components), hooks=HOOKS)
        return ganzoo_core.create("toy")

    return installed


@pytest.fixture
def model(install: Install, tmp_path: Path) -> Model:
    model = install(**ROLES)
    model.save(tmp_path / "m")
    return model


def halves(above: list[float], below: list[float]) -> torch.Tensor:
    """Return images [N, 1, 4, 4] whose upper and lower halves have these shades."""
    image = torch.ones(len(above), 1, SIZE, SIZE)
    image[:, :, : SIZE // 2] *= torch.tensor(above).view(-1, 1, 1, 1)
    image[:, :, SIZE // 2 :] *= torch.tensor(below).view(-1, 1, 1, 1)
    return image


def test_the_content_of_some_in_the_pose_of_others(model: Model) -> None:
    assert model.verbs == ("encode", "swap", "reconstruct", "interpolate", "predict")
    one, other = halves([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]), halves([0.7] * 3, [-0.1, -0.2, -0.3])
    wanted = halves([0.1, 0.2, 0.3], [-0.1, -0.2, -0.3])
    for batch_size in (1, 2, 64):
        assert torch.equal(model.swap(one, other, batch_size=batch_size), wanted)
    assert torch.equal(model.reconstruct(one), one)
    assert model.encode(one).flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert model.encode(one, space="pose").flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])


def test_poses_are_predicted_and_shown_with_the_content_of_the_newest_frame(model: Model) -> None:
    past = torch.stack([halves([0.0, 0.5], [0.0, -0.5]), halves([0.25, 0.75], [0.125, -0.25])], 1)
    made = model.predict(past, 3, batch_size=1)
    assert made.shape == (2, 3, 1, SIZE, SIZE)
    for step in range(3):
        moved = (step + 1) * STEP
        assert torch.equal(made[:, step], halves([0.25, 0.75], [0.125 + moved, -0.25 + moved]))


def test_a_model_may_predict_frames_and_nothing_else(install: Install) -> None:
    model = install(predictor=("predictor", "frames"), judge=("encoder", "lower"))
    assert model.verbs == ("encode", "predict")
    past = halves([0.0], [0.5])[:, None]
    assert torch.equal(model.predict(past, 2)[0, 1:], halves([0.25], [0.75]))
    with pytest.raises(UnsupportedError, match="cannot swap: it does not tell content from pose"):
        model.swap(past[:, 0], past[:, 0])


def test_noise_follows_from_the_seed_and_the_clips_number(install: Install) -> None:
    model = install(predictor=("predictor", "noisy"), judge=("encoder", "lower"))
    past = torch.zeros(3, 1, 1, SIZE, SIZE)
    made = model.predict(past, 2, seed=4)
    assert torch.equal(made, model.predict(past, 2, seed=4, batch_size=1))
    assert torch.equal(made[:2], model.predict(past[:2], 2, seed=4))
    assert not torch.equal(made, model.predict(past, 2, seed=5))
    assert not torch.equal(made[0], made[1])


def test_a_walk_between_poses_keeps_the_content(model: Model) -> None:
    first, last = halves([0.9], [-0.5]), halves([-0.9], [0.5])
    walk = model.interpolate_poses(halves([0.25], [0.0]), first, last, 5, method="linear")
    assert walk.shape == (1, 5, 1, SIZE, SIZE)
    assert torch.allclose(walk[0], halves([0.25] * 5, [-0.5, -0.25, 0.0, 0.25, 0.5]))
    with pytest.raises(UnsupportedError, match="no interpolation 'spiral'"):
        model.interpolate_poses(first, first, last, method="spiral")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m, i: m.swap(i, i[:1]), "2 images of content were given for 1 of pose"),
        (lambda m, i: m.swap(i[:, :, :3], i), r"takes images of shape \('N', 1, 4, 4\)"),
        (lambda m, i: m.swap(i[0], i[0]), "takes images of shape"),
        (lambda m, i: m.predict(i, 2), r"takes clips of shape \('N', 'T', 1, 4, 4\)"),
        (lambda m, i: m.predict(i[:, None], 0), "future must be at least 1"),
        (lambda m, i: m.predict(i[:, None][:, :0], 2), "frames must be at least 1"),
        (lambda m, i: m.interpolate_poses(i, i, i, 1), "frames must be at least 1"),
        (lambda m, i: m.encode(i, space="style"), "no codes of 'style'.* content, pose"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(
    model: Model, call: Callable[[Model, torch.Tensor], Any], said: str
) -> None:
    with pytest.raises(UnsupportedError, match=said):
        call(model, halves([0.1, 0.2], [0.3, 0.4]))


def test_the_callers_tensors_stay_as_they_are(model: Model) -> None:
    images = halves([0.1, 0.2], [0.3, 0.4])
    before = images.clone()
    model.swap(images, images)
    model.predict(images[:, None], 2)
    assert torch.equal(images, before)


# The commands.


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Eight clips: content by clip, pose that moves on by 16 of 256 shades a frame."""
    clips = np.zeros((8, 6, SIZE, SIZE), dtype=np.uint8)
    factors = np.zeros((8, 6, 2), dtype=int)
    for clip in range(8):
        clips[clip, :, : SIZE // 2] = 20 * (clip % 4) + 10
        for time in range(6):
            clips[clip, time, SIZE // 2 :] = 16 * (time + clip // 4) + 8
            factors[clip, time] = clip % 4, time + clip // 4
    np.savez(tmp_path / "films.npz", clips=clips, latents_classes=factors)
    return tmp_path / "films.npz"


def shades(picture: Image.Image, gap: int = 2) -> list[list[tuple[int, int]]]:
    """Return upper and lower shade of each image of a grid."""
    pixels = np.asarray(picture.convert("L"))
    stride = SIZE + gap
    rows, columns = (length // stride for length in pixels.shape)
    return [
        [
            (
                int(pixels[gap + r * stride, gap + c * stride]),
                int(pixels[gap + r * stride + SIZE - 1, gap + c * stride]),
            )
            for c in range(columns)
        ]
        for r in range(rows)
    ]


def test_the_grid_of_swap(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    out = tmp_path / "grid.png"
    given = ("swap", tmp_path / "m", "--data", f"npz:{films}", "--rows", 3, "--columns", 4)
    answer = ganzoo_here(*map(str, given), "--out", str(out))
    assert answer.code == 0 and "3 contents in 4 poses" in answer.out
    (corner, *above), *rows = shades(Image.open(out))
    assert corner == (255, 255)
    poses = [below for _, below in above]
    assert len(set(poses)) == 4 and poses == sorted(poses)
    for source, *made in rows:
        assert [content for content, _ in made] == pytest.approx([source[0]] * 4, abs=1)
        assert [pose for _, pose in made] == pytest.approx(poses, abs=1)


def test_a_prediction_moves_beside_the_truth(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    out = tmp_path / "ahead.gif"
    data = ("--data", f"npz:{films}", "--past", "2", "--future", "6", "-n", "2")
    answer = ganzoo_here("predict", str(tmp_path / "m"), *data, "--out", str(out))
    assert answer.code == 0 and "2 frames given and 6 predicted" in answer.out
    picture = Image.open(out)
    assert picture.n_frames == 8  # type: ignore[attr-defined]
    for time in range(8):
        picture.seek(time)
        for truth, made in shades(picture):
            if time < 6:  # a frame moves on by 16 shades, and so does the prediction
                assert truth == pytest.approx(made, abs=2)
            else:
                assert truth == (255, 255)
    still = tmp_path / "ahead.png"
    assert ganzoo_here("predict", str(tmp_path / "m"), *data, "--out", str(still)).code == 0
    assert [len(row) for row in shades(Image.open(still))] == [8] * 4


def test_walks_between_poses(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    out = tmp_path / "walks.png"
    given = ("--data", f"npz:{films}", "--pairs", "2", "--frames", "5", "--out", str(out))
    for space in ((), ("--space", "pose")):
        answer = ganzoo_here("interpolate", str(tmp_path / "m"), *space, *given)
        assert answer.code == 0
        for row in shades(Image.open(out)):
            assert len({content for content, _ in row}) == 1
            assert len({pose for _, pose in row}) == 5
    ganzoo_here("interpolate", str(tmp_path / "m")).is_one_sentence("name some with --data")


def test_what_a_model_cannot_do_or_data_do_not_hold_is_one_sentence(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    there, data = str(tmp_path / "m"), f"npz:{films}"
    cases: list[tuple[tuple[str, ...], str]] = [
        (("swap", "gan.mnist", "--data", data), "does not tell content from pose"),
        (("predict", "gan.mnist", "--data", data), "no network that goes on with a video"),
        (("interpolate", "gan.mnist", "--space", "pose", "--data", data), "content from pose"),
        (("swap", there, "--data", "digits"), "videos are needed"),
        (("swap", there, "--data", data, "--rows", "8"), "has 8 clips, and 9 are asked for"),
        (("swap", there, "--data", data, "--out", "x.bmp"), "the suffix '.bmp'"),
        (("predict", there, "--data", data, "--past", "7"), "needs clips of 7 frames, and 8 of"),
        (("predict", there, "--data", data, "--out", "x.webm"), "the suffix '.webm'"),
        (("predict", there, "--data", f"{data}x"), "there is no file"),
    ]
    for command, said in cases:
        ganzoo_here(*command).is_one_sentence(said)


# Measuring.


def measured(answer: Answer) -> dict[str, float]:
    assert answer.code == 0, answer.err
    return {result["metric"]: result["value"] for result in json.loads(answer.out)["results"]}


def test_a_model_that_knows_all_is_measured_so(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    given = ("evaluate", str(tmp_path / "m"), "--data", f"npz:{films}", "-n", "64", "--json")
    found = measured(ganzoo_here(*given))
    assert found["recomposition MSE"] == pytest.approx(0, abs=1e-10)
    assert found["MSE of the other frame"] > 1e-3
    # One frame is left to predict after five; the model's step is 16 shades of 255, as the data's.
    assert found["prediction MSE at 1"] == pytest.approx(0, abs=1e-5)
    assert found["MSE of the last frame at 1"] == pytest.approx((16 / 255) ** 2 / 2, rel=1e-3)
    assert "prediction MSE at 5" not in found
    assert found["0 from content"] == 100
    assert found["0 from pose"] < 50
    assert found["1 from pose"] > 70
    assert found["1 from content"] < 50
    assert found == measured(ganzoo_here(*given))


def test_nothing_is_probed_of_videos_of_which_nothing_is_known(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    np.savez(tmp_path / "bare.npz", clips=np.load(films)["clips"])
    given = ("evaluate", str(tmp_path / "m"), "--data", f"npz:{tmp_path / 'bare.npz'}")
    found = measured(ganzoo_here(*given, "-n", "32", "--json"))
    assert not any("chance" in name for name in found)
    ganzoo_here(*given, "--metrics", "probes").is_one_sentence("does not say what its frames show")


def test_measures_of_videos_and_of_images_are_taken_apart(
    model: Model, films: Path, tmp_path: Path, ganzoo_here: GanzooHere
) -> None:
    given = ("evaluate", str(tmp_path / "m"), "--data", f"npz:{films}", "--json")
    assert measured(ganzoo_here(*given, "--metrics", "mse"))["MSE"] == pytest.approx(0, abs=1e-10)
    answer = ganzoo_here(*given, "--metrics", "mse,recomposition")
    answer.is_one_sentence("recomposition measure videos and mse single images")
