"""The Swedish SAT: the right key, the right people, never in two splits."""

import irtorch.load_dataset
import numpy as np
import pytest

from refimpl.tasks import ResponseTasks


@pytest.fixture(scope="module", params=["quantitative", "verbal"])
def test_data(request):
    return ResponseTasks(request.param)


@pytest.fixture(scope="module")
def quantitative():
    return ResponseTasks("quantitative")


def rng(seed=0):
    return np.random.default_rng(seed)


def test_splits_are_disjoint_and_have_the_published_sizes(test_data):
    sizes = {name: len(rows) for name, rows in test_data.splits.items()}
    assert sizes == {"train": 3500, "validation": 750, "test": 750}
    assert sorted(np.concatenate([*test_data.splits.values()])) == list(range(5000))


def test_the_key_counts_from_zero(quantitative):
    """57 % are right; with the key moved by one, as its documentation has it, 11 %."""
    assert quantitative.correct.mean() == pytest.approx(0.569, abs=0.001)
    assert (quantitative.choice == quantitative.key - 1).mean() < 0.15
    # Every item is answered right more often than its most popular wrong option:
    # that is what a wrong key would break.
    for item in range(80):
        counts = np.bincount(quantitative.choice[:, item] + 1, minlength=6)[1:]
        assert counts[quantitative.key[item]] > 0.1 * counts.sum()


def test_omitted_answers_are_wrong(quantitative):
    raw, _ = irtorch.load_dataset.swedish_sat_quantitative()
    omitted = np.isnan(raw.numpy())
    assert 0.005 < omitted.mean() < 0.02
    assert (quantitative.choice[omitted] == -1).all()
    assert (quantitative.correct[omitted] == 0).all()


def test_the_two_tests_are_of_different_people():
    """Total scores of one person on two tests would correlate; these do not."""
    totals = [ResponseTasks(t).correct.sum(axis=1) for t in ("quantitative", "verbal")]
    assert abs(np.corrcoef(totals)[0, 1]) < 0.05


def test_support_and_query_are_different_items_of_the_same_person(quantitative):
    batch = quantitative.all(shots=10, split="validation", rng=rng())
    people = quantitative.splits["validation"]
    assert batch.support_x.shape == (750, 10, 1)
    assert batch.query_x.shape == (750, 40, 1)
    for i in (0, 300, 749):
        known = batch.support_x[i, :, 0].astype(int)
        asked = batch.query_x[i, :, 0].astype(int)
        assert len({*known} | {*asked}) == 50
        own = quantitative.correct[people[i]]
        np.testing.assert_array_equal(batch.support_y[i, :, 0], own[known])
        np.testing.assert_array_equal(batch.query_y[i, :, 0], own[asked])


def test_items_differ_by_person_and_draws_by_seed(quantitative):
    batch, same, other = (quantitative.all(5, "test", rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(batch.support_x, same.support_x)
    assert (batch.support_x != other.support_x).any()
    assert (batch.support_x[0] != batch.support_x[1]).any()


def test_a_sample_holds_nobody_twice_and_only_its_split(quantitative):
    batch = quantitative.sample(750, 40, "test", rng(), queries=40)
    answers = np.zeros((750, 80), np.float32)
    rows = np.arange(750)[:, None]
    for part in ("support", "query"):
        items = getattr(batch, f"{part}_x")[..., 0].astype(int)
        answers[rows, items] = getattr(batch, f"{part}_y")[..., 0]
    own = quantitative.correct[quantitative.splits["test"]]
    np.testing.assert_array_equal(
        answers[np.lexsort(answers.T)], own[np.lexsort(own.T)]
    )


def test_no_shots_hide_everything(quantitative):
    batch = quantitative.all(0, "test", rng(), queries=80)
    assert batch.support_mask.sum() == 0
    assert (batch.support_x == 0).all()
    assert (batch.support_y == 0).all()
    assert (np.sort(batch.query_x[..., 0], axis=1) == np.arange(80)).all()


def test_options_tell_what_was_chosen_of_known_answers_alone():
    tasks = ResponseTasks("verbal", options=True)
    batch = tasks.all(20, "test", rng())
    assert (batch.query_x[..., 1] == 0).all()
    item, option = batch.support_x.astype(int).transpose(2, 0, 1)
    chosen = tasks.choice[tasks.splits["test"][:, None], item]
    np.testing.assert_array_equal(option, np.where(chosen == -1, 6, chosen + 1))
    right = option == tasks.key[item] + 1
    np.testing.assert_array_equal(batch.support_y[..., 0] == 1, right)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shots": 80}, "shots: expected 0 to 79"),
        ({"shots": 50}, "queries: expected 1 to 30, got 40"),
        ({"split": "tests"}, "split: expected one of"),
        ({"tasks": 751}, "tasks: expected 1 to 750"),
    ],
)
def test_bad_arguments_are_named(quantitative, arguments, message):
    good = {"tasks": 2, "shots": 5, "split": "test", "rng": rng()}
    with pytest.raises(ValueError, match=message):
        quantitative.sample(**good | arguments)


def test_other_tests_and_other_generators_are_refused(quantitative):
    with pytest.raises(ValueError, match="test: expected one of"):
        ResponseTasks("both")
    with pytest.raises(TypeError, match="rng: expected"):
        quantitative.all(5, "test", rng=0)
