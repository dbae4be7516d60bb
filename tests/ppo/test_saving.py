"""A policy in a file is the same policy, and the best one is kept."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf
from gymnasium.spaces import Box, Discrete

from refimpl.ppo import (
    ActorCritic,
    KeepBest,
    MetaPolicy,
    Policy,
    RecurrentActorCritic,
    evaluate,
    evaluate_maml_ppo,
    evaluate_rl2,
    load_policy,
    save_policy,
)
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from tests.ppo.odd_worlds import (
    BreakingError,
    Breaks,
    lessons,
    meta_policy,
    plain_policy,
    points,
    ran,
    recurrent_policy,
    students,
    weights_of,
)

LOW = np.array([-1, -np.inf, 0, 0, 0], np.float32)
HIGH = np.array([1, np.inf, 1, 1, 1], np.float32)
BOUNDS = Box(np.float64([-0.1, 0]), np.float64([1 / 3, 7]), dtype=np.float64)


class Spaces:
    def __init__(self, chosen, seen=None):
        self.single_observation_space = Box(LOW, HIGH) if seen is None else seen
        self.single_action_space = chosen


def full(policy):
    """Other weights and scales than a new policy has."""
    rng = np.random.default_rng(0)
    for weight in policy.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    for scale in filter(None, (policy.observation_scale, policy.reward_scale)):
        scale.update(rng.normal(3, 2, (50, *scale.mean.shape)))
    return policy


BOTH = ["observations", "rewards"]
MAKE = {
    "discrete": lambda: ActorCritic(Spaces(Discrete(3)), (8, 5), seed=1),
    "a start": lambda: ActorCritic(Spaces(Discrete(3, start=5)), seed=1),
    "masked": lambda: ActorCritic(Spaces(Discrete(3)), (8,), seed=1, masked=True),
    "scaled": lambda: ActorCritic(
        Spaces(Discrete(3)), (8,), seed=1, masked=True, normalize=BOTH
    ),
    "box": lambda: ActorCritic(Spaces(BOUNDS), (), seed=1, normalize=BOTH),
    "bytes": lambda: ActorCritic(
        Spaces(Discrete(2), Box(0, 255, (5,), np.uint8)), (8,), seed=1
    ),
    "recurrent": lambda: RecurrentActorCritic(Spaces(Discrete(3, start=2)), 6, seed=1),
    "meta": lambda: MetaPolicy(Spaces(Discrete(3)), (8, 5), seed=1),
    "meta box": lambda: MetaPolicy(Spaces(BOUNDS), (8,), seed=1),
}


@pytest.mark.parametrize("name", list(MAKE))
def test_what_is_loaded_is_what_was_saved(tmp_path, name):
    policy, path = full(MAKE[name]()), tmp_path / "policy.npz"
    save_policy(path, policy)
    loaded = load_policy(path)
    assert type(loaded) is type(policy)
    assert loaded.settings == policy.settings
    assert loaded.action_space == policy.action_space
    assert loaded.observation_space == policy.observation_space
    assert loaded.structure() == policy.structure()
    for one, other in zip(policy.variables, loaded.variables, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    width = 5 + 3 + 2 if name == "recurrent" else 5
    seen = np.random.default_rng(0).integers(2, size=(20, width))
    seen[:, -1] = 1  # a mask has to allow something
    noise = policy.distribution.noise(np.random.default_rng(0), (20,))
    acts = policy.acting(), loaded.acting()
    for _ in range(2):  # the second time a recurrent policy remembers
        one, other = (act(seen.astype(np.float32), noise) for act in acts)
        np.testing.assert_array_equal(one, other)
        executed = policy.distribution.executed(one)
        np.testing.assert_array_equal(loaded.distribution.executed(other), executed)


def test_a_loaded_policy_can_be_trained_on_and_evaluated(tmp_path):
    path, policy = tmp_path / "policy.npz", plain_policy(students())
    save_policy(path, policy)
    loaded = load_policy(path)
    one, other = (ran("train", policy=own) for own in (policy, loaded))
    assert one[0] == other[0]
    assert all(map(np.array_equal, one[1], other[1]))
    scores = [evaluate(own, students(), seed=0).tolist() for own in (policy, loaded)]
    assert scores[0] == scores[1]


def test_a_loaded_meta_learner_meets_the_same_students(tmp_path):
    path = tmp_path / "policy.npz"
    policy = full(recurrent_policy(lessons()))
    save_policy(path, policy)
    found = [
        evaluate_rl2(own, lessons(), seed=0).actions
        for own in (policy, load_policy(path))
    ]
    np.testing.assert_array_equal(*found)
    policy = full(meta_policy(points()))
    save_policy(path, policy)
    found = [
        evaluate_maml_ppo(own, points(), tasks=2, fast_lr=[0.1], seed=0)
        for own in (policy, load_policy(path))
    ]
    np.testing.assert_array_equal(*found)


def test_a_saved_policy_is_one_file_without_pickle(tmp_path):
    path = tmp_path / "policy.npz"
    save_policy(path, MAKE["scaled"](), author="a test", score=0.5)
    assert [file.name for file in tmp_path.iterdir()] == ["policy.npz"]
    with zipfile.ZipFile(path) as file:
        assert {name.removeprefix("/")[-4:] for name in file.namelist()} == {".npy"}
    with np.load(path, allow_pickle=False) as file:  # raises if one is needed
        assert all(file[name].dtype != object for name in file.files)
    assert load_arrays(path)[1]["note"] == {"author": "a test", "score": 0.5}


def test_a_foreign_file_is_no_policy(tmp_path):
    path = tmp_path / "policy.npz"
    for junk in (b"", b"no arrays at all", b"PK\x03\x04 the start of a zip file"):
        path.write_bytes(junk)
        with pytest.raises(ValueError, match=f"path: {path} was not written by"):
            load_policy(path)
    np.savez(path, a=np.ones(2))
    with pytest.raises(ValueError, match="was not written by"):
        load_policy(path)
    save_arrays(path, {"a": np.ones(2)}, {"made": "by a test"})
    with pytest.raises(ValueError, match=f"path: {path} was not written by save_pol"):
        load_policy(path)


def test_a_checkpoint_is_no_policy_and_a_policy_no_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    ran("train", checkpoint=path)
    with pytest.raises(ValueError, match="was not written by save_policy"):
        load_policy(path)
    save_policy(path, plain_policy(students()))
    with pytest.raises(ValueError, match="checkpoint: "):
        ran("train", checkpoint=path)


class Own(ActorCritic):
    """Nobody knows how to make another one."""


class Trunk(Policy):
    pass


def test_a_policy_of_ones_own_is_refused_by_its_name(tmp_path):
    path = tmp_path / "policy.npz"
    for policy in (Own(students(), (8,), seed=0), Trunk(students())):
        name = type(policy).__name__
        with pytest.raises(TypeError, match=f"policy: expected one of .*, got {name}"):
            save_policy(path, policy)
    impostor = type("ActorCritic", (Own,), {})
    with pytest.raises(TypeError, match="policy: expected one of"):
        save_policy(path, impostor(students(), (8,), seed=0))
    assert not path.exists()


@pytest.mark.parametrize("name", list(MAKE))
def test_a_policy_can_be_exported_for_a_program_without_ours(tmp_path, name):
    policy = full(MAKE[name]())
    policy.export(str(tmp_path / "served"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    shape = (4, 3, 10) if name == "recurrent" else (4, 5)
    seen = np.random.default_rng(0).integers(2, size=shape).astype(np.float32)
    expected, found = policy(seen)[0], served.serve(seen)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# The best one


def kept(path, scores, updates, every=1, breaks=-1, **change):
    """A training whose callback keeps the best of ``scores``; the weights then."""
    policy, weights = plain_policy(students()), []
    scores = iter(scores)

    def score():
        weights.append(weights_of(policy))
        return next(scores)

    keep = KeepBest(path, policy, score, every)
    envs = Breaks(students(), breaks)
    ran("train", envs, policy, callback=keep, updates=updates, **change)
    return keep, weights


def holds(path, weights):
    return all(map(np.array_equal, weights_of(load_policy(path)), weights))


def test_the_best_is_kept_and_the_last_is_not(tmp_path):
    path = tmp_path / "best.npz"
    keep, weights = kept(path, [1, 3, 2, 3], updates=4)
    assert keep.best == 3
    assert holds(path, weights[1])
    assert not holds(path, weights[3])
    assert load_arrays(path)[1]["note"] == {"score": 3, "update": 2}


def test_the_score_is_asked_for_every_so_many_updates(tmp_path):
    path = tmp_path / "best.npz"
    keep, weights = kept(path, [5, 4], updates=5, every=2)
    assert len(weights) == 2
    assert (keep.best, holds(path, weights[0])) == (5, True)
    with pytest.raises(ValueError, match="every: expected at least 1, got 0"):
        KeepBest(path, None, None, every=0)


def test_a_training_that_begins_anew_replaces_the_file(tmp_path):
    path = tmp_path / "best.npz"
    kept(path, [9, 8], updates=2)
    keep, weights = kept(path, [1, 2], updates=2)
    assert keep.best == 2
    assert holds(path, weights[1])


def test_a_second_training_with_the_same_callback_begins_anew_too(tmp_path):
    path, policy = tmp_path / "best.npz", plain_policy(students())
    scores = iter([9, 8, 1, 2])
    keep = KeepBest(path, policy, lambda: next(scores), every=1)
    for _ in range(2):
        ran("train", policy=policy, callback=keep)
    assert keep.best == 2
    assert holds(path, weights_of(policy))


def test_a_first_score_that_is_nan_leaves_no_old_file_to_go_on_with(tmp_path):
    # As a mean return is, before any episode has ended.
    path = tmp_path / "best.npz"
    kept(path, [9, 8], updates=2)
    keep, weights = kept(path, [np.nan, 2], updates=2)
    assert keep.best == 2
    assert holds(path, weights[1])


def test_a_resumed_training_goes_on_with_the_file(tmp_path):
    path = tmp_path / "best.npz"
    run = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 2}
    whole, weights = kept(path, [1, 9, 3, 4], updates=4, **run)
    assert holds(path, weights[1])
    run["checkpoint"] = tmp_path / "parts.npz"
    path.unlink()
    with pytest.raises(BreakingError):  # in the third update
        kept(path, [1, 9], updates=4, breaks=2 * 8 + 3, **run)
    again, _ = kept(path, [3, 4], updates=4, **run)
    assert again.best == whole.best == 9
    assert holds(path, weights[1])
