"""The drifting level: against Kalman's recursion, and in a world that drifts."""

import numpy as np
import pytest

from refimpl.baselines import pooled_polynomial, trusted_level
from refimpl.baselines.random_walk import random_walk
from refimpl.tasks import TaskBatch, rmse


def world(count, seed, t2=1.0, q=0.3, s2=0.2):
    """Children with four tests; the last is asked."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, q**0.5, size=(count, 3))
    start = rng.normal(0, t2**0.5, size=(count, 1))
    level = np.concatenate([start, start + steps.cumsum(axis=1)], axis=1)
    y = 2.0 + 0.5 * np.arange(4) + level + rng.normal(0, s2**0.5, size=(count, 4))
    x = np.tile(np.arange(4.0)[:, None], (count, 1, 1)).astype(np.float32)
    y, mask = y[..., None].astype(np.float32), np.ones((count, 4), np.float32)
    known, asked = slice(0, 3), slice(3, 4)
    return TaskBatch(*(a[:, part] for part in (known, asked) for a in (x, y, mask)))


def test_the_prediction_is_kalmans():
    # Many children make the fit the truth; then the filter can be run by hand.
    train, new = world(20_000, 0), world(50, 1)
    t2, q, s2 = 1.0, 0.3, 0.2
    mean, variance = np.zeros(50), t2
    for k in range(3):
        variance += q * (k > 0)
        gain = variance / (variance + s2)
        mean += gain * (new.support_y[:, k, 0] - (2.0 + 0.5 * k) - mean)
        variance *= 1 - gain
    made = random_walk(train)(new)[:, 0, 0]
    np.testing.assert_allclose(made, 2.0 + 1.5 + mean, atol=0.04)


def test_where_levels_drift_it_beats_a_level_that_stays():
    train, new = world(200, 2), world(2000, 3)
    made = rmse(random_walk(train)(new), new)
    assert made < rmse(trusted_level(train)(new), new) - 0.03


def test_what_is_not_there_has_no_influence():
    train, new = world(50, 4), world(10, 5)
    hidden = new.map(np.copy)
    hidden.support_mask[:, 1] = 0
    hidden.support_y[:, 1] = 1e6
    two = TaskBatch(
        new.support_x[:, [0, 2]],
        new.support_y[:, [0, 2]],
        new.support_mask[:, [0, 2]],
        new.query_x,
        new.query_y,
        new.query_mask,
    )
    fitted = random_walk(train)
    np.testing.assert_allclose(fitted(hidden), fitted(two), rtol=1e-6)


def test_nothing_known_is_the_line_of_all():
    train, new = world(5000, 6), world(10, 7)
    nobody = new.map(np.copy)
    nobody.support_mask[:] = 0
    expected = pooled_polynomial(train)(new)
    np.testing.assert_allclose(random_walk(train)(nobody), expected, atol=0.05)


def test_bad_input_is_refused():
    batch = world(5, 8)
    empty = batch.map(np.zeros_like)
    with pytest.raises(ValueError, match="train: expected observed tests"):
        random_walk(empty)
    wide = batch.map(lambda a: np.repeat(a, 2, axis=-1) if a.ndim == 3 else a)
    with pytest.raises(ValueError, match="train: expected one input and one target"):
        random_walk(wide)
    with pytest.raises(ValueError, match="batch: expected one input and one target"):
        random_walk(batch)(wide)
