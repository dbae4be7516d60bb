"""Does a class look like those that the model met? Asked of its known answers alone."""

import numpy as np

from refimpl.checks import check_count, check_rng
from refimpl.context.class_model import ClassModel, read_class
from refimpl.tasks import TaskBatch


def surprise(
    model: ClassModel, batch: TaskBatch, rng: np.random.Generator, folds: int = 5
) -> np.ndarray:
    """How much worse ``model`` forecasts each class's known answers than it expects.

    In ``folds`` turns a part of the known answers is hidden, and forecast from the
    rest. A forecast p expects a log-loss of -p log p - (1 - p) log(1 - p); what the
    losses are above that, in sum, is divided by its standard deviation if answers came
    independently, each with its p. Answers that are missing for a reason cannot show
    in it.

    Parameters
    ----------
    model : ClassModel
    batch : TaskBatch
        M classes; their query sets are not looked at.
    rng : np.random.Generator
        Deals the known answers out to the folds.
    folds : int, from 2

    Returns
    -------
    [M]
        About 0 in classes like those that it met; NaN where nothing is known.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is listed here.
    """
    check_count("folds", folds, 2)
    check_rng(rng)
    known = batch.support_mask == 1
    fold = rng.permuted(
        np.tile(np.arange(known.shape[1]) % folds, (len(known), 1)), axis=1
    )
    above, variance = np.zeros(len(known)), np.zeros(len(known))
    for part in range(folds):
        hidden = known & (fold == part)
        mask = hidden.astype(np.float32)
        x, y = batch.support_x, batch.support_y
        turn = TaskBatch(x, y, batch.support_mask - mask, x, y, mask)
        p = read_class(model, turn)[0][..., 0].astype(float).clip(1e-6, 1 - 1e-6)
        logit = np.log(p / (1 - p))
        # loss - E loss = (p - y) logit, for each answer
        above += ((p - y[..., 0]) * logit * hidden).sum(axis=1)
        variance += (p * (1 - p) * logit**2 * hidden).sum(axis=1)
    return above / np.sqrt(np.where(variance > 0, variance, np.nan))
