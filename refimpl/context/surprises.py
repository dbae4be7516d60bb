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
    rest. A forecast p expects a log-loss of -p log p - (1 - p) log(1 - p). What the
    losses are above that, in sum, is divided by the root of the sum of their squares,
    which would be its standard deviation if answers came independently, each with its
    p (cut at .000001). Answers that are missing for a reason cannot show in it.

    Parameters
    ----------
    model : ClassModel
    batch : TaskBatch
        M classes; their query sets are not looked at.
    rng : np.random.Generator
        Deals each class's known answers out to the folds.
    folds : int, from 2

    Returns
    -------
    [M]
        About 0 in classes like those that it met; NaN where nothing is known.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is listed here, or as :func:`read_class`.
    """
    check_count("folds", folds, 2)
    check_rng(rng)
    if not isinstance(batch, TaskBatch):
        raise TypeError(f"batch: expected a TaskBatch, got {type(batch).__name__}")
    batch = batch.map(np.asarray)
    known = batch.support_mask == 1
    luck = np.where(known, rng.random(known.shape), 2)
    fold = luck.argsort(axis=1).argsort(axis=1) % folds  # the known ones come first
    above, squares = np.zeros(len(known)), np.zeros(len(known))
    for part in range(folds if known.any() else 0):
        hidden = known & (fold == part)
        mask = hidden.astype(np.float32)
        x, y = batch.support_x, batch.support_y
        turn = TaskBatch(x, y, batch.support_mask - mask, x, y, mask)
        p = read_class(model, turn)[0][..., 0].astype(float).clip(1e-6, 1 - 1e-6)
        # loss - E loss, of each answer
        more = np.where(hidden, (p - y[..., 0]) * np.log(p / (1 - p)), 0)
        above += more.sum(axis=1)
        squares += (more**2).sum(axis=1)
    return above / np.sqrt(np.where(squares > 0, squares, np.nan))
