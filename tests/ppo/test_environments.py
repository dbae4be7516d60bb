"""Nothing that an environment can do makes training wrong in silence."""

import os
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from refimpl.envs import (
    AdaptiveTest,
    AdaptiveTestEnv,
    BernoulliBandits,
    Navigation2D,
    Tutor,
    TwoStateVectorEnv,
)
from refimpl.ppo import ActorCritic, compute_advantages, evaluate, evaluate_rl2
from refimpl.ppo.episodes import EpisodeCollector
from refimpl.ppo.meta import trial_advantages
from tests.ppo.odd_worlds import (
    TRAINING,
    WAYS,
    BreakingError,
    Breaks,
    Database,
    InPlace,
    Odd,
    lessons,
    masked_world,
    meta_policy,
    plain_policy,
    points,
    ran,
    recurrent_policy,
    same,
    students,
)


@pytest.fixture(scope="module")
def plain():
    """What each way of training makes of its own world, to compare others with."""
    return {name: ran(name) for name in TRAINING}


CALLS_TENSORFLOW = """
import keras
import numpy as np
import tensorflow as tf

tf.config.threading.set_inter_op_parallelism_threads(1)

from gymnasium.vector import VectorWrapper
from refimpl.envs import TwoStateVectorEnv
from refimpl.ppo import ActorCritic, evaluate

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
double = tf.function(lambda x: 2 * x)


class Asks(VectorWrapper):
    def step(self, actions):
        step = self.env.step(actions)
        double(tf.constant(step[1]))
        model.predict(step[0], verbose=0)
        return step


envs = Asks(TwoStateVectorEnv(2, 2))
print(evaluate(ActorCritic(envs, (), seed=0), envs, seed=0).shape)
"""


def test_an_environment_that_calls_tensorflow_does_not_hang():
    run = subprocess.run(
        [sys.executable, "-c", CALLS_TENSORFLOW],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=3600,  # it used to hang for ever
    )
    assert run.stdout == "(2, 1)\n", run.stderr


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_an_environment_is_stepped_in_the_thread_that_reset_it(name):
    ran(name, Database(WAYS[name].envs()))


@pytest.mark.parametrize("name", TRAINING)
def test_arrays_that_are_changed_in_place_change_nothing(plain, name):
    assert same(plain[name], ran(name, InPlace(WAYS[name].envs())))


@pytest.mark.parametrize("name", TRAINING)
def test_flags_as_integers_and_rewards_as_a_list_change_nothing(plain, name):
    def change(step):
        seen, rewards, terminated, truncated, infos = step
        ends = terminated.astype(np.int8), truncated.astype(np.int64)
        return seen.tolist(), rewards.tolist(), *ends, infos

    assert same(plain[name], ran(name, Odd(WAYS[name].envs(), change)))


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize(
    ("part", "spoil", "message"),
    [
        (0, lambda x: x * np.nan, "finite observations"),
        (0, lambda x: x[:, :1].repeat(3, axis=1), "observations of shape"),
        (1, lambda x: np.where(np.arange(len(x)), x, np.nan), "finite rewards"),
        (1, lambda x: x[:, None], "rewards of shape"),
        (1, lambda x: ["much"] * len(x), "rewards to be numbers"),
        (2, lambda x: x + 2, "terminated to be true or false"),
        (3, lambda x: x * 0.5 + 0.25, "truncated to be true or false"),
        (3, lambda x: x[:-1], "truncated of shape"),
    ],
)
def test_what_no_step_can_be_is_named(name, part, spoil, message):
    def change(step):
        step[part] = spoil(np.asarray(step[part]))
        return step

    with pytest.raises(ValueError, match=f"envs: expected {message}"):
        ran(name, Odd(WAYS[name].envs(), change))


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("envs", ["CartPole-v1", None])
def test_what_is_no_vector_environment_is_named(name, envs):
    envs = envs or gym.make("CartPole-v1")
    own = WAYS[name].policy(WAYS[name].envs())
    with pytest.raises(TypeError, match="envs: expected"):
        ran(name, envs, own)


@pytest.mark.parametrize("make", [plain_policy, recurrent_policy, meta_policy])
@pytest.mark.parametrize("envs", ["CartPole-v1", None])
def test_no_policy_is_made_for_what_is_no_vector_environment(make, envs):
    with pytest.raises(TypeError, match="envs: expected"):
        make(envs or gym.make("CartPole-v1"))


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("mode", [AutoresetMode.DISABLED, AutoresetMode.SAME_STEP])
def test_another_autoreset_is_refused_everywhere(name, mode):
    envs = WAYS[name].envs()
    envs.metadata = {"autoreset_mode": mode}
    with pytest.raises(ValueError, match="envs: expected AutoresetMode.NEXT_STEP"):
        ran(name, envs)


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("part", ["observation", "action"])
def test_a_policy_made_for_other_spaces_is_refused(name, part):
    envs, own = WAYS[name].envs(), WAYS[name].policy(WAYS[name].envs())
    if part == "observation":
        envs.single_observation_space = gym.spaces.Box(0, 1, (9,), np.float32)
    elif isinstance(envs.single_action_space, gym.spaces.Discrete):
        envs.single_action_space = gym.spaces.Discrete(2, start=1)
    else:
        envs.single_action_space = gym.spaces.Box(-2, 2, (2,), np.float32)
    with pytest.raises(ValueError, match="envs: expected the policy's own spaces"):
        ran(name, envs, own)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [(name, {"gamma": 5}) for name in [*TRAINING, "evaluate_maml_ppo"]]
    + [(name, {"lambda_": -3}) for name in ("train", "train_rl2")]
    + [(name, {"value_weight": -1}) for name in ("train", "train_rl2")]
    + [(name, {"entropy_weight": np.nan}) for name in TRAINING]
    + [
        ("train", {"max_kl": np.nan}),
        ("train_rl2", {"reward_scale": -1}),
        ("train_rl2", {"reward_scale": np.nan}),
        ("evaluate_maml_ppo", {"gamma": np.nan}),
        ("evaluate_maml_ppo", {"fast_lr": [0.1, -1]}),
        ("evaluate_maml_ppo", {"fast_lr": [np.nan]}),
        ("evaluate", {"episodes": 0}),
    ],
)
def test_a_number_out_of_range_is_refused(name, wrong):
    [argument] = wrong
    with pytest.raises(ValueError, match=f"{argument}: expected .*, got "):
        ran(name, **wrong)


@pytest.mark.parametrize("wrong", [{"gamma": 5}, {"lambda_": -3}, {"gamma": np.nan}])
def test_advantages_of_an_impossible_discount_are_refused(wrong):
    nothing = np.zeros((2, 1))
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected 0 to 1"):
        compute_advantages(*[nothing] * 3, *[nothing > 0] * 2, **wrong)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: TwoStateVectorEnv(n, 5),
        lambda n: BernoulliBandits(n, 4, 2),
        lambda n: Navigation2D(n, 3),
        lambda n: Tutor(n, 3),
        lambda n: AdaptiveTest(np.ones((2, 4)), half, n, 1),
    ],
)
def test_a_wrong_number_of_environments_is_named(make):
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"num_envs: expected at least 1, got {n}"):
            make(n)
    with pytest.raises(TypeError, match="num_envs: expected an integer, got '3'"):
        make("3")


def half(items, answers):
    """A student model that knows nothing of four items."""
    return np.full((len(items), 4), 0.5)


@pytest.mark.parametrize(
    ("envs", "known"),
    [
        (students(), "none"),
        (lessons(), "none"),
        (points(), "goals"),
        (Tutor(2, 3), "rates"),
        (AdaptiveTest(np.ones((2, 4)), half, 2, 1), "people"),
    ],
)
def test_a_mistyped_option_is_named(envs, known):
    with pytest.raises(ValueError, match=f"options: expected {known}, got goal$"):
        envs.reset(seed=0, options={"goal": [0]})


def test_meta_training_without_tasks_is_refused():
    envs = Odd(students(), lambda step: step)  # a tutor's world has no draw_tasks
    for name in ("train_maml_ppo", "evaluate_maml_ppo"):
        with pytest.raises(TypeError, match="envs: expected a method draw_tasks"):
            ran(name, envs, meta_policy(envs))


def test_tasks_are_drawn_by_what_a_wrapper_wraps(plain):
    wrapped = Odd(Odd(points(), lambda step: step), lambda step: step)
    assert same(plain["train_maml_ppo"], ran("train_maml_ppo", wrapped))


# Rewards that are told


def partly_told(step):
    """Every other environment tells what was to be expected: 7. Gymnasium's mask."""
    count = len(step[1])
    told = np.arange(count) % 2 == 0
    infos = {"expected_reward": np.where(told, 7.0, 0.0), "_expected_reward": told}
    return [*step[:4], infos]


def test_an_expected_reward_counts_where_it_is_told_in_trials():
    envs = Odd(lessons(), partly_told)
    trials = evaluate_rl2(recurrent_policy(envs), envs, seed=0)
    assert (trials.expected[::2] == 7).all()
    np.testing.assert_array_equal(trials.expected[1::2], trials.rewards[1::2])
    assert trials.rewards[1::2].any()


def test_an_expected_reward_counts_where_it_is_told_in_episodes():
    # As if the environment had told 7 to every other point, and to the rest its own.
    def fully_told(step):
        infos = partly_told(step)[4]
        own = np.where(infos["_expected_reward"], 7.0, step[1])
        return [*step[:4], {"expected_reward": own}]

    found = []
    for change in (partly_told, fully_told):
        envs = Odd(points(), change)
        policy, rng = meta_policy(envs), np.random.default_rng(0)
        collector = EpisodeCollector(policy, envs, 2, 0.9)
        options = points().draw_tasks(rng, 2)
        weights = policy.weights_for(2)
        found.append(collector.collect(weights, options, rng, told=True))
    np.testing.assert_allclose(found[0].advantages, found[1].advantages, rtol=1e-5)


def test_what_is_told_must_be_finite():
    def change(step):
        return [*step[:4], {"expected_reward": np.full(len(step[1]), np.nan)}]

    envs = Odd(lessons(), change)
    with pytest.raises(ValueError, match="finite infos.'expected_reward'.*, got NaN"):
        evaluate_rl2(recurrent_policy(envs), envs, seed=0)


# How a trial ends


def always_one(terminates, truncates):
    """Trials of four steps, each of which pays 1."""

    def change(step):
        over = step[2].copy()
        ends = [over & flag for flag in (terminates, truncates)]
        return [step[0], np.ones(len(over)), *ends, {}]

    return Odd(lessons(), change)


@pytest.mark.parametrize(
    ("ends", "returns"),
    [
        # Who goes on for ever earns 1 / (1 - .9) = 10, before and after the cut.
        ((False, True), [10, 10, 10, 10]),
        ((True, False), [1 + 0.9 + 0.81 + 0.729, 1 + 0.9 + 0.81, 1.9, 1]),
        ((True, True), [1 + 0.9 + 0.81 + 0.729, 1 + 0.9 + 0.81, 1.9, 1]),
    ],
)
def test_a_trial_that_is_cut_off_is_not_at_its_end(ends, returns):
    envs = always_one(*ends)
    policy = recurrent_policy(envs)
    policy.critic.kernel.assign(np.zeros((4, 1)))
    policy.critic.bias.assign([10.0])  # the critic knows the value
    trials = evaluate_rl2(policy, envs, seed=0)
    advantages, found = trial_advantages(trials, 1.0, gamma=0.9, lambda_=1.0)
    np.testing.assert_allclose(found, np.tile(returns, (8, 1)), rtol=1e-5)
    np.testing.assert_allclose(advantages, found - 10, atol=1e-5)


def test_a_reward_scale_shortens_a_trial_that_is_cut_off():
    envs = always_one(False, True)
    policy = recurrent_policy(envs)
    policy.critic.kernel.assign(np.zeros((4, 1)))
    policy.critic.bias.assign([5.0])  # half of 10, as rewards are
    trials = evaluate_rl2(policy, envs, seed=0)
    advantages, returns = trial_advantages(trials, 0.5, gamma=0.9, lambda_=0.7)
    np.testing.assert_allclose(returns, 5, rtol=1e-5)
    np.testing.assert_allclose(advantages, 0, atol=1e-5)


# One training at a time


@pytest.mark.parametrize(
    ("name", "judge"),
    [
        ("train", "evaluate"),
        ("train_rl2", "evaluate_rl2"),
        ("train_maml_ppo", "evaluate_maml_ppo"),
    ],
)
def test_an_evaluation_in_the_training_environments_is_noticed(name, judge):
    envs = WAYS[name].envs()
    policy = WAYS[name].policy(envs)
    scores = []

    def callback(history):
        scores.append(WAYS[judge].call(policy, envs))

    with pytest.raises(ValueError, match="envs: expected environments that no train"):
        ran(name, envs, policy, callback=callback)
    # Afterwards they are free again, and others always were.
    WAYS[judge].call(policy, envs)
    envs_of_ones_own = WAYS[name].envs()

    def good(history):
        scores.append(WAYS[judge].call(policy, envs_of_ones_own))

    ran(name, envs, policy, callback=good)
    assert len(scores) == 2


def test_a_wrapper_does_not_hide_the_training_environments():
    envs = students()
    policy = plain_policy(envs)
    again = Odd(envs, lambda step: step)
    with pytest.raises(ValueError, match="evaluate in others"):
        ran("train", envs, policy, callback=lambda h: evaluate(policy, again, seed=0))


def test_environments_are_free_after_a_training_that_broke_down():
    envs = Breaks(students(), at=3)
    policy = plain_policy(envs)
    with pytest.raises(BreakingError):
        ran("train", envs, policy)
    assert evaluate(policy, envs, seed=0).shape == (4, 1)
    ran("train", envs, policy)


# What can be learned from


def test_a_minibatch_of_one_row_is_refused():
    # Its advantage, less the mean of one, is 0: the actor would never learn.
    with pytest.raises(ValueError, match="minibatches: expected to divide 32 into"):
        ran("train", minibatches=32)


def test_a_minibatch_of_one_trial_of_one_step_is_refused():
    envs = BernoulliBandits(4, pulls=1, arms=2)
    with pytest.raises(ValueError, match="minibatches: expected"):
        ran("train_rl2", envs, minibatches=4)


@pytest.mark.parametrize("name", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([0, 2, 0], "envs: expected masks of 0 and 1, got 2"),
        ([1.2, -0.8, 1.2], "envs: expected masks of 0 and 1, got 1.2"),  # normalized
        ([0.5, 0.5, 0.5], "envs: expected masks of 0 and 1, got 0.5"),
        ([0, 0, 0], "envs: expected at least one action allowed, got none"),
    ],
)
def test_a_mask_that_is_none_is_refused(name, mask, message):
    envs = masked_world(mask)
    with pytest.raises(ValueError, match=message):
        ran(name, envs, plain_policy(envs, masked=True))


def test_a_reset_may_allow_nothing():
    envs = masked_world([0, 1, 1], at_end=[0, 0, 0])
    policy = plain_policy(envs, masked=True)
    assert (evaluate(policy, envs, episodes=3, seed=0) == 3).all()


# What a checkpoint was made with


class Paid(TwoStateVectorEnv):
    """Another world with the same spaces; a constructor that Gymnasium can tell."""

    def __init__(self, num_envs, price=0.0):
        super().__init__(num_envs, 5)


@pytest.fixture
def registered():
    gym.register("Paid-v0", vector_entry_point=Paid)
    yield lambda **given: gym.make_vec("Paid-v0", num_envs=4, **given)
    del gym.registry["Paid-v0"]


def test_a_finished_run_says_that_nothing_was_trained(tmp_path, capsys):
    path = tmp_path / "run.npz"
    first = ran("train", checkpoint=path)
    assert "nothing was trained" not in capsys.readouterr().out
    assert same(first, ran("train", checkpoint=path))
    assert f"{path} is finished, nothing was trained" in capsys.readouterr().out


def test_a_checkpoint_from_another_environment_is_refused(tmp_path, registered):
    path = tmp_path / "run.npz"
    made = ran("train", registered(price=1.0), checkpoint=path)
    assert same(made, ran("train", registered(price=1.0), checkpoint=path))
    for other in (
        registered(price=2.0),
        registered(),
        Paid(4),
        Odd(registered(price=1.0), lambda step: step),
        students(),
    ):
        with pytest.raises(ValueError, match="checkpoint: made with envs="):
            ran("train", other, checkpoint=path)


def test_a_checkpoint_of_other_bounds_is_refused(tmp_path):
    path, envs = tmp_path / "run.npz", students()
    policy = plain_policy(envs)
    ran("train", envs, policy, checkpoint=path)
    envs.single_observation_space = gym.spaces.Box(0, 2, (2,), np.float32)
    with pytest.raises(ValueError, match="checkpoint: made with envs="):
        ran("train", envs, policy, checkpoint=path)


def test_an_object_among_the_environments_arguments_is_no_other_run(
    tmp_path, registered
):
    # Its text holds an address, which is another one in the next process.
    path = tmp_path / "run.npz"
    made = ran("train", registered(price=object()), checkpoint=path)
    assert same(made, ran("train", registered(price=object()), checkpoint=path))


class Other(ActorCritic):
    """Another class with the same weights."""


def test_another_lambda_policy_class_or_mask_is_refused_by_name(tmp_path):
    path, envs = tmp_path / "run.npz", students()
    half_rate, full_rate = (lambda done: 0.5), (lambda done: 1.0)
    given = {"checkpoint": path, "schedule": half_rate}
    first = ran("train", envs, **given)
    assert same(first, ran("train", envs, **given | {"schedule": lambda done: 0.5}))
    with pytest.raises(ValueError, match="made with schedule=.*: 0.5 .*, not "):
        ran("train", envs, **given | {"schedule": full_rate})
    with pytest.raises(ValueError, match="made with policy=ActorCritic .*, not Other"):
        ran("train", envs, Other(envs, (8,), seed=0), **given)
    # The students' one-hot states can be read as a mask of the two actions.
    with pytest.raises(ValueError, match='policy=.*"masked": false.*, not .*: true'):
        ran("train", envs, plain_policy(envs, masked=True), **given)


# Gymnasium's own check


@pytest.mark.parametrize("items", [2, 4, 8, 20, 100])
def test_gymnasium_finds_nothing_wrong_with_an_adaptive_test(items):
    def model(asked, answers):
        p = (answers.sum(axis=1) + 1) / (asked.shape[1] + 2)
        return np.repeat(p[:, None], items, axis=1)

    for seed in range(20):
        rng = np.random.default_rng(seed)
        correct = rng.integers(2, size=(30, items))
        env = AdaptiveTestEnv(correct, model, questions=min(10, items - items // 2))
        env.action_space.seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_env(env, skip_render_check=True)


def test_an_item_that_may_not_be_asked_changes_nothing():
    env = AdaptiveTestEnv(np.eye(4, dtype=int), half, questions=2)
    before, _ = env.reset(seed=0)
    target = int(env.students.target[0, 0])
    after, reward, *ends, _ = env.step(target)
    np.testing.assert_array_equal(before, after)
    assert (reward, ends) == (0.0, [False, False])
    assert env.students.asked == 0
    allowed = int(env.students.allowed[0].argmax())
    for expected in (1, 1):  # the second time, it has been asked already
        env.step(allowed)
        assert env.students.asked == expected
