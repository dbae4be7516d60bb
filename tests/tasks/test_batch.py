"""TaskBatch refuses what would otherwise be silently reshaped or averaged over."""

import numpy as np
import pytest
import torch

from refimpl.tasks import SinusoidTasks, TaskBatch, rmse, summarize


def arrays(tasks=3, shots=2, queries=4, inputs=1, outputs=1):
    rng = np.random.default_rng(0)
    return {
        "support_x": rng.normal(size=(tasks, shots, inputs)).astype(np.float32),
        "support_y": rng.normal(size=(tasks, shots, outputs)).astype(np.float32),
        "support_mask": np.ones((tasks, shots), np.float32),
        "query_x": rng.normal(size=(tasks, queries, inputs)).astype(np.float32),
        "query_y": rng.normal(size=(tasks, queries, outputs)).astype(np.float32),
        "query_mask": np.ones((tasks, queries), np.float32),
    }


@pytest.mark.parametrize(
    ("name", "spoil", "error", "message"),
    [
        ("query_y", lambda a: a[:, :-1], ValueError, "query_y: expected shape"),
        (
            "query_y",
            lambda a: a[..., 0],
            ValueError,
            "query_y: expected an array with 3",
        ),
        (
            "support_mask",
            lambda a: a[:, 1:],
            ValueError,
            "support_mask: expected shape",
        ),
        (
            "support_mask",
            lambda a: a * 0.5,
            ValueError,
            "support_mask: expected only 0",
        ),
        ("query_x", lambda a: a[:2], ValueError, "query_x: expected shape"),
        ("support_y", lambda a: a * np.nan, ValueError, "support_y: expected finite"),
        ("support_x", lambda a: a + np.inf, ValueError, "support_x: expected finite"),
        ("query_x", lambda a: a.astype(bool), TypeError, "query_x: expected float32"),
        ("query_mask", lambda a: a.astype(int), TypeError, "query_mask: expected flo"),
        ("query_y", lambda a: a.astype(int), ValueError, "query_y: expected an array"),
        ("query_x", lambda a: a.tolist(), ValueError, "query_x: expected an array"),
        ("support_x", lambda a: np.tile(a, 2), ValueError, "query_x: expected shape"),
    ],
)
def test_a_bad_array_is_refused_by_name(name, spoil, error, message):
    good = arrays()
    TaskBatch(**good)
    with pytest.raises(error, match=message):
        TaskBatch(**{**good, name: spoil(good[name])})


def test_images_item_numbers_and_classes_are_taken_as_they_are():
    given = arrays(tasks=3, shots=2, queries=4)
    for part, examples in (("support", 2), ("query", 4)):
        given[f"{part}_x"] = np.zeros((3, examples, 1, 28, 28), np.float32)
        given[f"{part}_y"] = np.arange(3 * examples).reshape(3, examples)
    batch = TaskBatch(**given)
    assert batch.query_y.dtype == int
    task, x, y = batch.observed()
    assert x.shape == (18, 1, 28, 28)
    assert y.shape == task.shape == (18,)
    with pytest.raises(ValueError, match="query_y: expected an array with 2 axes"):
        TaskBatch(**{**given, "query_y": given["query_y"][..., None]})
    with pytest.raises(ValueError, match="prediction: expected shape"):
        rmse(batch.query_y, batch)
    items = {n: np.ones((3, len(given[n][0]), 2), np.int32) for n in given if "_x" in n}
    assert TaskBatch(**{**given, **items}).map(torch.as_tensor).query_x.ndim == 3


def test_a_batch_without_tasks_is_refused():
    with pytest.raises(ValueError, match="support_x: expected at least one task"):
        TaskBatch(**arrays(tasks=0))


def test_tensors_are_checked_as_arrays_are():
    good = TaskBatch(**arrays()).map(torch.as_tensor)
    assert isinstance(good.query_x, torch.Tensor)
    with pytest.raises(ValueError, match="support_x: expected finite"):
        good.map(lambda tensor: tensor / 0)
    with pytest.raises(TypeError, match="expected float32"):
        good.map(lambda tensor: tensor.half())


def test_map_takes_the_same_tasks_of_every_array():
    batch = TaskBatch(**arrays())
    one = batch.map(lambda array: array[1:2])
    assert len(one) == 1
    np.testing.assert_array_equal(one.query_y[0], batch.query_y[1])


def test_observed_lists_each_observed_example_once():
    given = arrays(tasks=2, shots=2, queries=1)
    given["support_mask"][0, 1] = 0
    batch = TaskBatch(**given)
    task, x, y = batch.observed()
    assert task.tolist() == [0, 0, 1, 1, 1]
    expected = [
        batch.support_y[0, 0],
        batch.query_y[0, 0],
        *batch.support_y[1],
        *batch.query_y[1],
    ]
    np.testing.assert_array_equal(y, expected)
    assert x.shape == (5, 1)


def test_rmse_pools_examples_and_skips_masked_ones():
    given = arrays(tasks=2, shots=1, queries=2)
    given["query_mask"][1, 1] = 0
    batch = TaskBatch(**given)
    errors = np.array([[[1.0], [2.0]], [[2.0], [1000.0]]])
    # By hand: sqrt((1 + 4 + 4) / 3); a mean of the tasks' means would differ.
    assert rmse(batch.query_y + errors, batch) == pytest.approx(np.sqrt(3), rel=1e-6)


def test_rmse_refuses_what_would_broadcast():
    batch = SinusoidTasks().sample(3, shots=1, queries=3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="prediction: expected shape"):
        rmse(batch.query_y[..., 0], batch)
    empty = batch.map(np.zeros_like)
    with pytest.raises(ValueError, match="at least one observed query"):
        rmse(empty.query_y, empty)


def test_summaries_by_hand():
    result = summarize(np.array([[1.0, 2.0, 6.0], [2.0, 2.0, 2.0]]))
    np.testing.assert_allclose(result["mean"], [3, 2])
    np.testing.assert_allclose(result["median"], [2, 2])
    # t = 4.3027 with 2 degrees of freedom, s = sqrt(7).
    half = 4.3027 * np.sqrt(7 / 3)
    np.testing.assert_allclose(result["low"], [3 - half, 2], rtol=1e-4)
    np.testing.assert_allclose(result["high"], [3 + half, 2], rtol=1e-4)
    with pytest.raises(ValueError, match="losses: expected 2 tasks"):
        summarize(np.ones((3, 1)))
