"""Section 3: what stays apart from what moves; and section 3.1: an LSTM over what moves."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo_core.components import (
    Batch,
    ClipShape,
    CodeDiscriminator,
    Composer,
    Encoder,
    Losses,
    Parts,
    Phase,
    Stage,
    Step,
    Trainer,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_drnet.config import DrNetConfig
from ganzoo_plugin_drnet.losses import discrimination, reconstruction, similarity, uncertainty
from ganzoo_plugin_drnet.networks import PoseLSTM

DISENTANGLING, PREDICTION = "disentangling", "prediction"


class DrNetTrainer(Trainer):
    """Two frames a clip: the earlier gives the content, the later the pose and what is to be made.

    The encoders and the decoder move first; the scene discriminator then learns from the poses that
    they have just computed. Where there is a `predictor`, it learns in a second stage.
    """

    config: DrNetConfig

    def __init__(self, config: DrNetConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.content: Encoder = parts.networks["content"]
        self.pose: Encoder = parts.networks["pose"]
        self.composer: Composer = parts.networks["composer"]
        self.scene: CodeDiscriminator = parts.networks["scene"]
        self.predictor = parts.networks.get("predictor")
        _check_fit(parts.networks)

    def phases(self) -> Sequence[Phase]:
        """Return the turn of the encoders with the decoder, and the scene discriminator's."""
        return (
            Phase(
                "main", networks=("content", "pose", "composer"), optimizer=self.config.optimizer
            ),
            Phase("scene", networks=("scene",), optimizer=self.config.scene_optimizer),
        )

    def stages(self) -> Sequence[Stage]:
        """Return the disentangling and, where there is a predictor, the prediction."""
        config = self.config
        pairs = ClipShape(frames=2, span=config.max_step)
        stages = [Stage(DISENTANGLING, self.phases(), clips=pairs)]
        if self.predictor is not None:
            lstm = Phase("lstm", networks=("predictor",), optimizer=config.lstm_optimizer)
            series = ClipShape(config.past + config.future)
            stages.append(Stage(PREDICTION, (lstm,), config.prediction_share, clips=series))
        return stages

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the networks of this phase minimise."""
        assert batch.clips is not None
        if phase.name == "main":
            earlier, later = batch.clips.unbind(1)
            return self._main_loss(earlier, later, step)
        if phase.name == "scene":
            return self._scene_loss(step)
        return self._prediction_loss(batch.clips)

    def passes(self) -> Mapping[str, float]:
        """Return 4 F_content + 4 F_pose + 3 F_decoder: of each encoder, one pass is a target."""
        # C: forward and the gradient for its input; then pairs of the same and of different videos.
        passes = {"content": 4.0, "pose": 4.0, "composer": 3.0, "scene": 8.0}
        return passes | ({} if self.predictor is None else {"predictor": 0.0})

    def _main_loss(self, earlier: Tensor, later: Tensor, step: Step) -> Losses:
        config = self.config
        with torch.no_grad():
            target = self.content(later).mean
            other = self.pose(earlier).mean
        content, pose = self.content(earlier), self.pose(later).mean
        step.reuse["poses"] = other, pose.detach()
        terms = {
            "reconstruction": reconstruction(self.composer(content, pose), later),
            "similarity": similarity(content.mean, target),
            "uncertainty": uncertainty(self._judged(other, pose)),
        }
        total = (
            terms["reconstruction"]
            + config.similarity_weight * terms["similarity"]
            + config.adversarial_weight * terms["uncertainty"]
        )
        return Losses(total, {name: term.detach() for name, term in terms.items()})

    def _scene_loss(self, step: Step) -> Losses:
        earlier, later = step.reuse["poses"]
        # A clip's neighbour in the batch is another clip, in an order that is drawn anew.
        joined = torch.cat([later, later.roll(1, 0)])
        same, different = self._judged(earlier.repeat(2, 1), joined).chunk(2)
        right = torch.cat([same > 0, different <= 0]).float().mean()
        return Losses(discrimination(same, different), {"accuracy": right.detach()})

    def _prediction_loss(self, clips: Tensor) -> Losses:
        predictor = self.predictor
        assert isinstance(predictor, PoseLSTM)
        past = self.config.past
        with torch.no_grad(), _at_rest(self.content, self.pose):
            content = self.content(clips[:, past - 1]).mean
            poses = self.pose(clips.flatten(0, 1)).mean.unflatten(0, clips.shape[:2])
        expected = predictor.following(poses[:, :-1], content)
        errors = (expected - poses[:, 1:]).square().mean((0, 2))
        return Losses(errors.sum(), {"mse": errors.mean().detach()})

    def _judged(self, first: Tensor, second: Tensor) -> Tensor:
        logits: Tensor | None = self.scene(torch.cat([first, second], 1)).logits
        if logits is None:
            raise UnsupportedError(
                "DrNet needs a scene discriminator with logits; choose another --scene"
            )
        return logits


@contextmanager
def _at_rest(*networks: nn.Module) -> Iterator[None]:
    """Let the LSTM see poses as a finished model will: by running statistics, and leave these."""
    training = [layer for network in networks for layer in network.modules() if layer.training]
    for layer in training:
        layer.training = False
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def _check_fit(networks: Mapping[str, Any]) -> None:
    """Check that what one network says is what the next one takes.

    Raises:
        ConfigError: sizes differ.
    """
    content, pose, composer = (networks[role] for role in ("content", "pose", "composer"))
    fits = [
        ("content_size", content.latent_shape, composer.content_shape),
        ("pose_size", pose.latent_shape, composer.pose_shape),
        ("pose_size", (2 * pose.latent_shape[0],), networks["scene"].latent_shape),
    ]
    if "predictor" in networks:
        predictor = networks["predictor"]
        if not isinstance(predictor, PoseLSTM):
            raise UnsupportedError(
                "DrNet trains a predictor of this plugin; leave --predictor out, or take lstm"
            )
        fits.append(("content_size", content.latent_shape, predictor.content_shape))
        fits.append(("pose_size", pose.latent_shape, predictor.latent_shape))
    for name, made, taken in fits:
        if made != taken:
            raise ConfigError(
                f"{name} is not the same everywhere: one network makes {made} and another takes "
                f"{taken}; set it once for all, as in --set {name}={made[0]}"
            )
    if getattr(content, "skips", False) != bool(composer.map_shapes):
        raise ConfigError(
            "skips must be the same for the content's encoder and the composer; set it once for "
            "both, as in --set skips=true"
        )
