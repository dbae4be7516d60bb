"""Runs: resumed, trained on, silent, and as cheap at their end as at their start."""

import functools
import math

import gymnasium as gym
import numpy as np
import pytest

from refimpl.ppo import (
    ActorCritic,
    History,
    RecurrentActorCritic,
    evaluate,
    maml_steps,
    train,
    update,
)
from refimpl.ppo.compiled import judge_for
from refimpl.ppo.distributions import Gaussian
from refimpl.ppo.update import improve_for
from tests.ppo.odd_worlds import (
    TRAINING,
    WAYS,
    BreakingError,
    Breaks,
    Odd,
    Simple,
    plain_policy,
    ran,
    same,
    students,
)

STEPS = {"train": 8, "train_rl2": 4, "train_maml_ppo": 2 * 3}  # of an update


def constant(done):
    return 1.0


def broken(name, at_update, policy_seed=0, **change):
    """A run whose environment breaks down within an update, counted from 0."""
    way = WAYS[name]
    envs = Breaks(way.envs(), at=at_update * STEPS[name] + 2)
    policy = way.policy(envs, policy_seed)
    with pytest.raises(BreakingError):
        ran(name, envs, policy, **change)


def another(name):
    """A policy with other weights: all that counts comes from the file."""
    return WAYS[name].policy(WAYS[name].envs(), 9)


@pytest.fixture
def wrapped():
    """The same worlds in a wrapper that never breaks: a checkpoint tells of types."""
    return {name: Breaks(WAYS[name].envs(), at=-1) for name in TRAINING}


@pytest.mark.parametrize("name", TRAINING)
def test_every_way_of_training_resumes_bit_for_bit(tmp_path, wrapped, name):
    settings = {"updates": 5, "checkpoint_every": 2}
    settings |= {} if name == "train_maml_ppo" else {"learning_rate": 0.02}
    whole = ran(name, wrapped[name], checkpoint=tmp_path / "whole.npz", **settings)
    path = tmp_path / "parts.npz"
    broken(name, 3, checkpoint=path, **settings)
    parts = ran(name, wrapped[name], another(name), checkpoint=path, **settings)
    assert same(whole, parts)
    assert len(whole[0]) == 5
    # The checkpoints changed something, or else nothing, in both alike.
    if name != "train":
        assert same(whole, ran(name, wrapped[name], **settings))


@pytest.mark.parametrize("name", TRAINING)
def test_a_finished_run_of_any_kind_is_only_loaded(tmp_path, capsys, name):
    path = tmp_path / "run.npz"
    first = ran(name, checkpoint=path)
    capsys.readouterr()
    second = ran(name, policy=another(name), checkpoint=path)
    assert same(first, second)
    assert "is finished, nothing was trained" in capsys.readouterr().out


@pytest.mark.parametrize("name", TRAINING)
def test_a_checkpoint_of_another_way_of_training_is_refused(tmp_path, name):
    path = tmp_path / "run.npz"
    ran(name, checkpoint=path)
    for other in TRAINING:
        if other != name:
            with pytest.raises(ValueError, match="checkpoint: made with "):
                ran(other, checkpoint=path)


@pytest.mark.parametrize("name", ["train_rl2", "train_maml_ppo"])
def test_other_settings_of_a_meta_learner_are_refused_by_name(tmp_path, name):
    path = tmp_path / "run.npz"
    ran(name, checkpoint=path)
    for change in ({"gamma": 0.5}, {"seed": 1}, {"epochs": 2}):
        [argument] = change
        with pytest.raises(ValueError, match=f"checkpoint: made with {argument}="):
            ran(name, checkpoint=path, **change)
    with pytest.raises(FileNotFoundError, match="checkpoint: no folder"):
        ran(name, checkpoint=tmp_path / "nowhere" / "run.npz")


# Beyond the last update


def test_a_constant_rate_trained_on_is_as_if_never_stopped(tmp_path):
    settings = {"schedule": constant, "checkpoint_every": 2, "learning_rate": 0.02}
    whole = ran("train", checkpoint=tmp_path / "whole.npz", updates=6, **settings)
    path = tmp_path / "parts.npz"
    for updates in (2, 4, 6):
        policy = another("train") if path.exists() else None
        given = {"checkpoint": path, "updates": updates, **settings}
        parts = ran("train", policy=policy, **given)
    assert same(whole, parts)


def test_a_run_that_is_trained_on_may_be_interrupted(tmp_path, wrapped):
    settings = {"checkpoint_every": 2, "learning_rate": 0.02}

    def parts(name, interrupted):
        path, envs = tmp_path / name, wrapped["train"]
        ran("train", envs, checkpoint=path, updates=2, **settings)
        more = {"checkpoint": path, "updates": 7, **settings}
        if interrupted:
            broken("train", 3, **more)
        return ran("train", envs, another("train"), **more)

    one, other = parts("one.npz", False), parts("other.npz", True)
    assert same(one, other)
    assert len(one[0]) == 7


def test_a_schedule_begins_anew_when_a_run_is_trained_on(tmp_path):
    def run(path, updates, schedule):
        settings = {"schedule": schedule, "learning_rate": 0.02}
        return ran("train", checkpoint=tmp_path / path, updates=updates, **settings)

    finished = run("a.npz", 2, constant)
    # At the rate 0 nothing is learned any more.
    stopped = run("a.npz", 3, lambda done: 0.0)
    assert len(stopped[0]) == 3
    assert all(map(np.array_equal, finished[1], stopped[1]))
    # A linear schedule over the two new updates: 1, then 1/2.
    run("b.npz", 2, constant)
    shares = []

    def remembered(done):
        shares.append(done)
        return 1 - done

    run("b.npz", 4, remembered)
    assert shares[-2:] == [0, 0.5]


@pytest.mark.parametrize("name", ["train_rl2", "train_maml_ppo"])
def test_a_meta_learner_is_trained_on(tmp_path, name):
    path = tmp_path / "run.npz"
    first = ran(name, checkpoint=path)
    second = ran(name, policy=another(name), checkpoint=path, updates=3)
    assert len(second[0]) == 3
    if name == "train_maml_ppo":
        np.testing.assert_array_equal(first[0], second[0][:2])
    else:
        assert second[0].kl[:2] == first[0].kl
    assert not all(map(np.array_equal, first[1], second[1]))


def test_a_run_that_is_not_finished_keeps_its_length(tmp_path):
    path = tmp_path / "run.npz"
    broken("train", 3, checkpoint=path, checkpoint_every=2, updates=4)
    envs = Breaks(students(), at=-1)
    for updates in (3, 6):  # its schedule knew of four
        with pytest.raises(ValueError, match=f"with updates=4, not {updates}"):
            ran("train", envs, checkpoint=path, checkpoint_every=2, updates=updates)
    ran("train", envs, checkpoint=path, checkpoint_every=2, updates=4)
    with pytest.raises(ValueError, match="with updates=4, not 3"):
        ran("train", envs, checkpoint=path, checkpoint_every=2, updates=3)


# What is shown and reported


@pytest.mark.parametrize("name", TRAINING)
def test_without_progress_nothing_is_printed(capfd, name):
    ran(name)
    out, error = capfd.readouterr()
    assert out == ""
    assert "2/2" in error
    loud = ran(name)
    capfd.readouterr()
    assert same(loud, ran(name, progress=False))
    assert capfd.readouterr() == ("", "")


def test_a_history_holds_losses_by_hand():
    # Nothing is learned, and nothing discounted: the return of a step is its reward,
    # and a critic of 0 is wrong by it. All ratios are 1, so the surrogate is 0.
    paid = []

    def watch(step):
        paid.append(step[1])
        return step

    envs = Odd(students(), watch)
    policy = plain_policy(envs)
    for weight in policy.critic.trainable_variables:
        weight.assign(0 * weight)
    history, _ = ran("train", envs, policy, learning_rate=0.0, gamma=0.0)
    total = [np.sum(part) for part in (paid[:8], paid[8:])]  # resets pay 0
    steps = np.diff([0, *history.steps])
    np.testing.assert_allclose(history.value_loss, total / steps, rtol=1e-5)
    np.testing.assert_allclose(history.objective, [0, 0], atol=1e-6)
    assert history.log_std == [0, 0]  # of one of two actions, there is none
    assert len(history) == 2


def test_a_history_holds_the_deviation_of_real_numbers():
    def pay(envs, actions):
        return -(actions[:, 0] ** 2)

    def seen(envs):
        return np.zeros((envs.num_envs, 1), np.float32)

    box = gym.spaces.Box(-1, 1, (1,), np.float32)
    envs = Simple(box, gym.spaces.Box(-1, 1, (2,), np.float32), seen, pay, 4)
    policy, found = plain_policy(envs), []
    policy.distribution.log_std.assign([0.5, -1.5])

    def watch(history):
        found.append(float(np.mean(policy.distribution.log_std.numpy())))

    settings = {"updates": 2, "seed": 0, "rollout_steps": 8, "learning_rate": 0.1}
    history = train(policy, envs, callback=watch, progress=False, **settings)
    assert isinstance(policy.distribution, Gaussian)
    assert history.log_std == found
    assert found[0] != -0.5
    assert np.isfinite(history.objective + history.value_loss).all()


def test_trials_report_their_losses():
    history, _ = ran("train_rl2")
    columns = vars(history)
    assert {len(column) for column in columns.values()} == {2}
    assert min(history.value_loss) > 0
    assert history.log_std == [0, 0]


# Long runs


class Counting(list):
    """A list that counts how often any of its rows is asked for."""

    asked = 0

    def __getitem__(self, index):
        type(self).asked += 1
        return super().__getitem__(index)

    def __iter__(self):
        for row in super().__iter__():
            type(self).asked += 1
            yield row

    def __reversed__(self):
        for row in super().__reversed__():
            type(self).asked += 1
            yield row


@pytest.mark.parametrize("updates", [200, 20_000])
def test_the_mean_return_costs_the_same_however_long_the_run(updates):
    Counting.asked = 0
    history = History(returns=Counting([float(i)] * 2 for i in range(updates)))
    assert history.mean_return() == np.mean(np.arange(updates - 50, updates))
    assert 50 <= Counting.asked <= 52


def test_the_mean_return_is_that_of_the_latest():
    history = History(returns=[[1.0, 2], [], [3, 4, 5], []])
    assert history.mean_return(2) == 4.5
    assert history.mean_return(4) == 3.5
    assert history.mean_return() == 3
    assert math.isnan(History().mean_return())


def test_many_short_episodes_make_a_small_checkpoint_and_come_back(tmp_path):
    path = tmp_path / "run.npz"
    many = np.random.default_rng(0).integers(1, 30, 200_000).astype(float).tolist()

    def lengthen(history):
        if len(history.kl) == 1:
            history.returns[0] += many

    history, _ = ran("train", checkpoint=path, callback=lengthen)
    assert path.stat().st_size < 300_000
    again, _ = ran("train", checkpoint=path)
    assert again == history
    assert len(again.returns[0]) > 200_000
    assert {type(total) for total in again.returns[0]} == {float}


def test_a_history_comes_back_with_numbers_of_python(tmp_path):
    path = tmp_path / "run.npz"
    history, _ = ran("train", checkpoint=path)
    again, _ = ran("train", checkpoint=path)
    for name, column in vars(again).items():
        assert column == vars(history)[name], name
        assert [*map(type, column)] == [*map(type, vars(history)[name])], name


# What is compiled


def counted(monkeypatch, owner, name):
    """A list that grows by 1 with each call of ``owner.name``.

    What is compiled runs in Python only while TensorFlow traces it.
    """
    calls, real = [], getattr(owner, name)

    @functools.wraps(real)
    def counting(*arguments):
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(owner, name, counting)
    return calls


def test_a_second_policy_of_the_same_structure_is_not_compiled_again(monkeypatch):
    improve_for.cache_clear()
    judge_for.cache_clear()
    losses = counted(monkeypatch, update, "ppo_loss")
    calls = counted(monkeypatch, ActorCritic, "call")
    ran("train")
    assert 0 < len(losses) <= 4
    envs = students()
    policy = plain_policy(envs, 1)
    losses.clear()
    calls.clear()
    history, _ = ran("train", envs, policy, seed=3, learning_rate=0.1, strength=0.3)
    evaluate(policy, envs, seed=0)
    assert losses == []
    assert len(calls) <= 1  # at once, so that Keras knows its shapes
    assert history.kl[0] > 0


def test_a_second_recurrent_policy_is_not_compiled_again(monkeypatch):
    ran("train_rl2")
    policy = another("train_rl2")
    calls = counted(monkeypatch, RecurrentActorCritic, "call")
    ran("train_rl2", policy=policy, epsilon=0.3, gamma=0.5)
    assert len(calls) <= 1  # at once, so that Keras knows its shapes


def test_a_second_meta_policy_is_not_compiled_again(monkeypatch):
    maml_steps.outer_steps_for.cache_clear()
    calls = counted(monkeypatch, maml_steps, "approximate_kl")
    ran("train_maml_ppo")
    assert 0 < len(calls) <= 2
    calls.clear()
    ran("train_maml_ppo", policy=another("train_maml_ppo"), fast_lr=0.2, epsilon=0.1)
    assert calls == []
