"""What networks of videos promise: what stays and what moves, put together and carried on."""

from torch import Tensor, nn

from ganzoo_core.components.networks import Code


class Composer(nn.Module):
    """A decoder that makes an image of two codes: what stays in a video, and what moves in it.

    A model keeps it together with the encoders of the two, under the roles `content` and `pose`;
    then it has the verb `swap`. A subclass sets the attributes below and implements `forward`.
    """

    image_shape: tuple[int, int, int]
    """Channels, height and width of one image."""
    content_shape: tuple[int, ...]
    """Shape of one content code."""
    pose_shape: tuple[int, ...]
    """Shape of one pose code."""
    map_shapes: tuple[tuple[int, int, int], ...] = ()
    """Shapes of the feature maps that it takes from the content (`Code.maps`), in their order."""

    def forward(self, content: Code, pose: Tensor) -> Tensor:
        """Make images.

        Args:
            content: of N images: `mean` [N, *content_shape], and `maps` of `map_shapes`.
            pose: [N, *pose_shape]

        Returns:
            [N, channels, height, width], in [-1, 1]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")


class Predictor(nn.Module):
    """A network that goes on with a video; a model that keeps one has the verb `predict`.

    Its series is of the codes that the encoder `pose` makes of the frames, which a `Composer` turns
    into images again, or of the frames themselves where `predicts_frames` says so.
    """

    latent_shape: tuple[int, ...]
    """Shape of one member of the series."""
    content_shape: tuple[int, ...] = ()
    """Shape of the content code that it is given beside the series; empty where it takes none."""
    predicts_frames: bool = False
    """Whether the series is of images [channels, height, width], in [-1, 1]."""

    def forward(self, past: Tensor, future: int, content: Tensor | None = None) -> Tensor:
        """Go on with series.

        Args:
            past: [N, at least 1, *latent_shape]
            future: how many members to add, at least 1.
            content: [N, *content_shape]; only where that is not empty.

        Returns:
            [N, future, *latent_shape]
        """
        raise TypeError(f"{type(self).__name__} does not implement forward")
