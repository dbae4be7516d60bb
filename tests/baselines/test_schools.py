"""Schools: means drawn to zero by hand, and a world in which schools differ."""

import numpy as np
import pytest

from refimpl.baselines import direct_regression
from refimpl.baselines.responses import variances
from refimpl.baselines.schools import (
    shrunken,
    with_schoolmates_known,
    with_schoolmates_later,
)
from refimpl.tasks import TaskBatch, rmse


def test_means_are_drawn_to_zero_by_hand():
    # Means 3 and -2 of two and one; within (1 + 1) / (3 - 2) = 2; between
    # the mean of 9 - 2/2 and 4 - 2/1 = 5.
    both = variances(np.array([0, 0, 2]), np.array([4.0, 2.0, -2.0]))
    assert both == (5, 2)
    drawn = shrunken(np.array([6.0, -2.0, 0.0]), np.array([2, 1, 0]), *both)
    np.testing.assert_allclose(drawn, [3 * 2 * 5 / (2 * 5 + 2), -2 * 5 / (5 + 2), 0])


def test_schools_that_do_not_differ_are_all_average():
    between, _ = variances(np.array([0, 0, 1, 1]), np.array([1.0, -1.0, 1.0, -1.0]))
    assert between == 0


@pytest.fixture(scope="module")
def world():
    """900 children in 30 schools: a school's level shows in known and later scores."""
    rng = np.random.default_rng(0)
    school = rng.integers(30, size=900)
    level = rng.normal(size=30)[school] + rng.normal(size=900)
    scores = level[:, None] + rng.normal(size=(900, 4))
    later = rng.normal(0, 0.7, size=30)[school]  # what only later scores show
    scores[:, 2:] += later[:, None]
    x = np.tile(np.arange(4, dtype=np.float32)[:, None], (900, 1, 1))
    y, mask = scores[..., None].astype(np.float32), np.ones((900, 4), np.float32)
    known, asked = slice(0, 2), slice(2, 4)
    batch = TaskBatch(*(a[:, part] for part in (known, asked) for a in (x, y, mask)))
    return batch, school


def parts(world, rows):
    batch, school = world
    return batch.map(lambda array: array[rows]), school[rows]


def test_each_kind_of_schoolmates_scores_helps_the_one_after_the_other(world):
    train, own = parts(world, slice(600))
    test, theirs = parts(world, slice(600, None))
    plain = rmse(direct_regression(train)(test), test)
    known = rmse(with_schoolmates_known(train, own)(test, theirs), test)
    later = rmse(with_schoolmates_later(train, own)(test, theirs), test)
    assert later < known - 0.1 < plain - 0.1


def test_the_schools_level_is_a_regressor_like_the_known_scores(world):
    """Least squares on it, each child's own tests left out of her school's mean."""
    train, own = parts(world, slice(600))
    test, theirs = parts(world, slice(600, None))
    x, y = (getattr(train, f"support_{n}")[..., 0] for n in "xy")
    line = np.polynomial.Polynomial.fit(x.ravel(), y.ravel(), 1)

    def distance(batch):
        return (batch.support_y - line(batch.support_x))[..., 0].mean(axis=1)

    def level(i, of, among):
        rest = [d for k, (d, school) in enumerate(among) if school == of and k != i]
        return shrunken(np.sum(rest), len(rest), *variances(own, distance(train)))

    met = list(zip(distance(train), own, strict=True))
    new = list(zip(distance(test), theirs, strict=True))
    first = [level(i, school, met) for i, (_, school) in enumerate(met)]
    second = [level(i, school, new + met) for i, (_, school) in enumerate(new)]
    designs = [
        np.column_stack([np.ones(len(batch)), levels, batch.support_y[..., 0]])
        for batch, levels in ((train, first), (test, second))
    ]
    fit = np.linalg.lstsq(designs[0], train.query_y[:, 1, 0])[0]
    made = with_schoolmates_known(train, own)(test, theirs)
    np.testing.assert_allclose(made[:, 1, 0], designs[1] @ fit, rtol=1e-3, atol=1e-3)


def test_in_a_new_school_schoolmates_later_scores_tell_nothing(world):
    train, own = parts(world, slice(600))
    test, theirs = parts(world, slice(600, None))
    made = with_schoolmates_later(train, own)(test, theirs + 100)
    np.testing.assert_array_equal(made, direct_regression(train)(test))
