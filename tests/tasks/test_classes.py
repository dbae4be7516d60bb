"""A class as a task: who and what is shared by splits, what worlds are like."""

import numpy as np
import pytest

from refimpl.tasks import TaskBatch
from refimpl.tasks.class_batch import class_batch
from refimpl.tasks.classes import EVERYTHING, WORLDS, ClassTasks, item_split
from refimpl.tasks.subtraction import procedures, subtracted


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def real():
    return ClassTasks({"quantitative": 1})


# Batches


def test_a_class_by_hand():
    answers = [[[1, 0], [0.5, np.nan]]]
    batch = class_batch(answers, [[[1, 0], [1, 0]]], asked=[[[0, 1], [0, 0]]])
    assert batch.support_x[0].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert batch.support_y[0, :, 0].tolist() == [1, 0, 0.5, 0]
    assert batch.support_mask[0].tolist() == [1, 0, 1, 0]
    assert batch.query_mask[0].tolist() == [0, 1, 0, 0]
    all_else = class_batch([[[1, 0], [0.5, 0.25]]], [[[1, 0], [1, 0]]])
    assert all_else.query_mask[0].tolist() == [0, 1, 0, 1]
    assert all_else.query_y[0, 3, 0] == 0.25


@pytest.mark.parametrize(
    ("answers", "known"),
    [([[["1", "0"]]], [[[1, 0]]]), (np.ma.masked_array([[[1, 0]]]), [[[1, 0]]])],
)
def test_what_is_no_plain_array_of_numbers_is_refused(answers, known):
    with pytest.raises(TypeError, match="answers: expected an array of numbers"):
        class_batch(answers, known)


def test_no_answer_that_is_asked_is_shown_in_the_support_set():
    batch = class_batch(np.ones((1, 2, 2)), np.eye(2)[None])
    assert batch.support_y[0, :, 0].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([[1, 0]], [[1, 0]]), r"answers: expected \[classes, students, items\]"),
        (([[[1, 0]]], [[[1, 0, 0]]]), "known: expected .* as answers"),
        (([[[1, 0]]], [[[1, 0]]], [[[1, 0]]]), "asked: expected no answer that is"),
        (([[[1, 0]]], [[[0.9, 0]]]), "known: expected only 0 and 1"),
        (([[[1, 0]]], [[[1, np.nan]]]), "known: expected only 0 and 1"),
        ((np.ones((0, 2, 2)), np.ones((0, 2, 2))), r"answers: expected \[classes"),
        (([[[2, 0]]], [[[1, 0]]]), "answers: expected numbers from 0 to 1"),
        (([[[1, np.nan]]], [[[1, 0]]]), "answers: expected numbers from 0 to 1"),
    ],
)
def test_tables_that_are_none_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        class_batch(*given)


# Sources


def test_test_classes_share_neither_people_nor_items_with_training(real):
    splits = {name: item_split("quantitative", name) for name in ("train", "test")}
    assert [len(item_split("quantitative", n)) for n in splits] == [50, 20]
    assert not set(splits["train"]) & set(splits["test"])
    assert len(item_split("verbal", "test")) == 80
    # All of them: the same table up to the order of people and items.
    people = real.tests["quantitative"].splits["test"]
    made = real.answers("quantitative", "test", 1, len(people), 20, rng())[0]
    whole = real.tests["quantitative"].correct[np.ix_(people, splits["test"])]
    assert sorted(made.sum(axis=1)) == sorted(whole.sum(axis=1))
    assert sorted(made.sum(axis=0)) == sorted(whole.sum(axis=0))


def test_everything_is_from_a_seed():
    tasks = ClassTasks()
    first, second, other = (tasks.sample(6, "train", rng(s)) for s in (1, 1, 2))
    for name in vars(first):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.query_y, other.query_y)


def test_known_answers_are_a_share_or_drawn():
    tasks = ClassTasks({"skills": 1})
    third = tasks.sample(200, "test", rng(), known=1 / 3)
    assert third.support_mask.mean() == pytest.approx(1 / 3, abs=0.01)
    drawn = tasks.sample(500, "train", rng(), students=5, items=4)
    share = drawn.support_mask.mean(axis=1)
    assert share.min() == 1 / 20
    assert share.max() == 19 / 20
    assert share.std() > 0.2
    assert (drawn.support_mask + drawn.query_mask == 1).all()


def test_some_classes_know_more_of_some_students_and_items():
    drawn = ClassTasks({"skills": 1}).sample(400, "train", rng(), 40, 40)
    known = drawn.support_mask.reshape(400, 40, 40)
    p = known.mean(axis=(1, 2), keepdims=True)
    for axis in (1, 2):
        lots = known.mean(axis=axis).var(axis=1) / (p * (1 - p) / 40)[:, 0, 0]
        assert 0.5 < (lots < 2).mean() < 0.8  # the rest is uneven


@pytest.mark.parametrize("source", [*WORLDS])
def test_worlds_differ_by_class_and_students_differ(source):
    answers = ClassTasks({source: 1}).answers(source, "train", 300, 40, 30, rng())
    assert answers.shape == (300, 40, 30)
    assert answers.dtype == np.float32
    assert answers.min() == 0
    assert answers.max() == 1
    binary = np.isin(answers, [0, 1]).all()
    assert binary == (source != "points")
    means = answers.mean(axis=(1, 2))
    assert means.std() > 0.1
    assert 0.4 < means.mean() < 0.7
    # Halves of the items rank students alike: it is the students who differ.
    odd, even = answers[:, :, ::2].mean(axis=2), answers[:, :, 1::2].mean(axis=2)
    assert np.corrcoef(odd.ravel(), even.ravel())[0, 1] > 0.5


def test_passages_make_their_items_depend_on_each_other():
    """Within a passage residuals correlate, so that some pairs are far above others."""

    def spread(source):
        answers = WORLDS[source](200, 400, 20, rng())
        centred = answers - answers.mean(axis=1, keepdims=True)
        centred = centred - centred.mean(axis=2, keepdims=True)
        pairs = np.einsum("msi,msj->mij", centred, centred) / 400
        return pairs[:, *np.triu_indices(20, 1)].std(axis=1).mean()

    assert spread("passages") > 1.2 * spread("skills")


# Subtraction

DIGITS = 4
NONE, SMALLER, KEPT, ZERO, SKIPPED = range(-1, 4)


def right(top, low, *faults):
    def digits(n):
        return (n // 10 ** np.arange(DIGITS) % 10).reshape(1, 1, 1, DIGITS)

    held = np.isin(np.arange(4), faults).reshape(4, 1, 1, 1)
    return bool(subtracted(digits(top), digits(low), held)[0, 0, 0])


def test_the_procedure_without_faults_is_right():
    r = rng()
    for _ in range(300):
        top, low = sorted(r.integers(0, 10**DIGITS, 2), reverse=True)
        assert right(top, low), (top, low)


@pytest.mark.parametrize(
    ("top", "low", "fault", "correct"),
    [
        (58, 23, SMALLER, True),  # nothing to borrow
        (52, 28, SMALLER, False),  # 36: two from eight
        (52, 28, KEPT, False),  # 34: the five stays five
        (58, 23, KEPT, True),
        (50, 28, ZERO, False),  # 38: nothing from eight is eight
        (55, 28, ZERO, True),
        (302, 148, SKIPPED, False),  # the zero hands its debt on
        (342, 158, SKIPPED, True),
        (302, 201, SKIPPED, True),
    ],
)
def test_a_fault_shows_where_it_is_asked_for(top, low, fault, correct):
    assert right(top, low)
    assert right(top, low, fault) is correct


def test_procedures_are_not_locally_independent():
    answers = procedures(1, 4000, 12, rng(4))[0]
    pairs = np.corrcoef(answers.T)[np.triu_indices(12, 1)]
    assert pairs.max() - pairs.min() > 0.2


# What is refused


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"chemistry": 1}, "sources: expected some of"),
        ({"skills": -1}, "sources: skills: expected 0 to"),
        ({"skills": np.inf}, "sources: skills: expected 0 to"),
        ({"skills": 0}, "sources: expected a weight above 0"),
        ({}, "sources: expected a weight above 0"),
    ],
)
def test_sources_that_are_none_are_refused(sources, message):
    with pytest.raises(ValueError, match=message):
        ClassTasks(sources)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "exam"}, "split: expected one of"),
        ({"items": 21}, "items: expected 1 to 20, got 21"),
        ({"students": 751}, "students: expected 1 to 750"),
        ({"known": 1.5}, "known: expected 0 to 1"),
        ({"tasks": 0}, "tasks: expected at least 1"),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(real, given, message):
    with pytest.raises(ValueError, match=message):
        real.sample(**{"tasks": 2, "split": "test", "rng": rng()} | given)
    with pytest.raises(TypeError, match="rng: expected"):
        real.sample(2, "test", 0)


def test_splits_and_sizes_are_checked_whatever_is_drawn():
    with pytest.raises(ValueError, match="split: expected one of"):
        ClassTasks({"skills": 1}).sample(2, "exam", rng())
    for seed in range(5):
        with pytest.raises(ValueError, match="items: expected 1 to 10, got 15"):
            ClassTasks().sample(1, "validation", rng(seed))
    with pytest.raises(ValueError, match="known: expected a share, for a class of one"):
        ClassTasks({"skills": 1}).sample(2, "train", rng(), students=1, items=1)
    with pytest.raises(ValueError, match="source: expected one of"):
        ClassTasks({"skills": 1}).answers("verbal", "test", 1, 5, 5, rng())
    with pytest.raises(TypeError, match="sources: expected names and weights"):
        ClassTasks(["skills"])
    alone = ClassTasks({"passages": 1}).sample(9, "train", rng(), items=1, known=0.5)
    assert alone.query_x.shape == (9, 25, 2)


def test_the_default_is_everything_but_the_verbal_test():
    assert {*EVERYTHING} == {*WORLDS, "quantitative"}
    assert isinstance(ClassTasks().sample(3, "validation", rng(), 5, 5), TaskBatch)
