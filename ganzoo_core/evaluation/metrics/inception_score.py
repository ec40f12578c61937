"""The Inception Score."""

import torch
from torch import Tensor

from ganzoo_core.evaluation.metrics.common import Estimate, checked

SPLITS = 10


def inception_score(
    logits: Tensor, generator: torch.Generator, *, splits: int = SPLITS
) -> Estimate:
    """Return exp E KL(p(y|x) ‖ p(y)) of a classifier's answers (Salimans et al. 2016).

    It lies between 1 (all images say the same) and the number of classes.

    Args:
        logits: [N, classes]
        generator: draws the order in which images are split.
        splits: parts, each with a score of its own.

    Returns:
        the mean over the splits and their standard deviation.

    Raises:
        DataError: fewer images than splits.
    """
    logits = checked(logits, "class logits of the generated images", splits)
    shuffled = logits[torch.randperm(len(logits), generator=generator)]
    scores = torch.stack([_score(part) for part in shuffled.tensor_split(splits)])
    # As published, the deviation has the divisor `splits`.
    return Estimate(scores.mean().item(), scores.std(correction=0).item() if splits > 1 else None)


def _score(logits: Tensor) -> Tensor:
    log_given = logits.log_softmax(1)
    given = log_given.exp()
    log_marginal = given.mean(0).clamp_min(torch.finfo(given.dtype).tiny).log()
    return (given * (log_given - log_marginal)).sum(1).mean().exp()
