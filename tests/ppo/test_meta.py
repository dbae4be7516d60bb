"""RL-squared: what its state remembers, and that PPO over trials is PPO."""

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.vector import AutoresetMode

from refimpl.envs import BernoulliBandits
from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.meta import evaluate_rl2, train_rl2, trial_advantages
from refimpl.ppo.recurrent import RecurrentActorCritic
from refimpl.ppo.trials import TrialCollector
from tests.ppo.worlds import assert_traced_in_the_first_update_alone


class Episodes(gym.vector.VectorEnv):
    """Two episodes of two steps with each student; the observation is a constant."""

    def __init__(self, num_envs=4, early=False):
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs, self.early = num_envs, early
        self.single_observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
        self.single_action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.ones((self.num_envs, 1), np.float32), {}

    def step(self, actions):
        self.t += 1
        over = np.full(self.num_envs, self.t == 4)
        over[0] |= self.early and self.t == 3
        ended = np.full(self.num_envs, self.t % 2 == 0)
        seen = np.ones((self.num_envs, 1), np.float32)
        reward = np.asarray(actions, float) + 10
        return seen, reward, over, np.zeros_like(over), {"episode_over": ended}


class Own(RecurrentActorCritic):
    """Could compute something of its own, so that TensorFlow has to act."""

    def step(self, inputs, state):
        return super().step(inputs, state)


def remembering(envs, kind=RecurrentActorCritic):
    """Larger weights than the first ones: choices then depend on the past."""
    policy, n = kind(envs, 8, seed=0), envs.single_action_space.n
    policy.actor.kernel.assign(3 * np.random.default_rng(0).normal(size=(8, n)))
    return policy


@pytest.fixture(scope="module")
def bandits():
    envs = BernoulliBandits(64, pulls=7, arms=3)
    return envs, remembering(envs)


def test_the_policy_receives_what_the_step_before_brought():
    envs = Episodes()
    policy = RecurrentActorCritic(envs, 8, seed=0)
    trials = evaluate_rl2(policy, envs, seed=0, greedy=False)
    assert trials.inputs.shape == (4, 4, 1 + 2 + 1 + 1)
    seen, action, reward, over = np.split(trials.inputs, [1, 3, 4], axis=2)
    assert (seen == 1).all()
    assert not trials.inputs[:, 0, 1:].any()  # a new student: nothing yet
    np.testing.assert_array_equal(action[:, 1:].argmax(axis=2), trials.actions[:, :-1])
    np.testing.assert_array_equal(reward[:, 1:, 0], trials.rewards[:, :-1])
    np.testing.assert_array_equal(over[0, :, 0], [0, 0, 1, 0])
    assert set(trials.rewards.ravel()) == {10, 11}


@pytest.mark.parametrize("kind", [RecurrentActorCritic, Own])
def test_the_state_is_emptied_between_students_and_only_there(kind):
    envs = Episodes(64)
    policy = remembering(envs, kind)
    collector = TrialCollector(policy, envs)
    first, second = (collector.collect(np.random.default_rng(0)) for _ in range(2))
    # A second student who is given the same luck starts as the first one did.
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    # Within the trial each state follows from the one before, episodes or not.
    states, state = policy.memory(first.inputs).numpy(), np.zeros((64, 8), np.float32)
    rng = np.random.default_rng(0)
    rng.integers(2**31)  # the seed of the environment
    for t in range(4):
        output, _, state = policy.step(first.inputs[:, t], state)
        np.testing.assert_allclose(states[:, t], state, atol=1e-6)
        # By this state it acted.
        noise = policy.distribution.noise(rng, (64,))
        np.testing.assert_array_equal(
            first.actions[:, t], (output + noise).numpy().argmax(axis=1)
        )
    assert np.abs(states[:, 1:] - states[:, :-1]).max() > 1e-3


def test_replayed_log_probabilities_equal_those_of_the_rollout(bandits):
    envs, policy = bandits
    trials = evaluate_rl2(policy, envs, seed=3, greedy=False)
    output, values = policy(trials.inputs)
    replayed = policy.distribution.log_prob(output, trials.actions)
    np.testing.assert_allclose(replayed, trials.log_prob, atol=1e-5)
    np.testing.assert_allclose(values, trials.values, atol=1e-5)
    assert trials.log_prob.std() > 0.1


def test_actions_depend_on_the_past(bandits):
    # The observation is the same for all, so only the state tells students apart.
    envs, policy = bandits
    output, _ = policy(evaluate_rl2(policy, envs, seed=3, greedy=False).inputs)
    spread = np.std(output, axis=0).max(axis=1)
    assert spread[0] == pytest.approx(0, abs=1e-6)
    assert spread[1:].min() > 0.01


def test_the_future_does_not_reach_the_past(bandits):
    envs, policy = bandits
    trials = evaluate_rl2(policy, envs, seed=3, greedy=False)
    changed = trials.inputs.copy()
    changed[:, 4:] += 1
    for one, other in zip(policy(trials.inputs), policy(changed), strict=True):
        np.testing.assert_array_equal(one[:, :4], other[:, :4])
        assert np.abs(one[:, 4:] - other[:, 4:]).max() > 1e-3


def test_gradients_flow_through_a_whole_trial(bandits):
    envs, policy = bandits
    inputs = tf.constant(evaluate_rl2(policy, envs, seed=3).inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        last = tf.reduce_sum(policy(inputs)[0][:, -1] * [1.0, 2.0, 3.0])
    gradient = tape.gradient(last, inputs).numpy()
    assert (np.abs(gradient).max(axis=(0, 2)) > 0).all()


@pytest.mark.parametrize("cut_off", [False, True])
def test_advantages_of_trials_are_those_of_the_loop(bandits, cut_off):
    envs, policy = bandits
    trials = evaluate_rl2(policy, envs, seed=3)
    assert not trials.truncated.any()
    last = 99.0  # of nobody: not used
    if cut_off:
        trials, last = trials._replace(truncated=np.ones(64, bool)), 5.0
        trials.next_values[:] = last
    mine = trial_advantages(trials, 0.5, 0.9, 0.8)
    for i in (0, 5):  # one student alone
        ended = np.arange(7)[:, None] == 6
        rewards, values = trials.expected[i][:, None] / 2, trials.values[i][:, None]
        following = np.append(values[1:], [[last]], axis=0)
        ends = ended & (not cut_off), ended & cut_off
        theirs = compute_advantages(rewards, values, following, *ends, 0.9, 0.8)
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one[i], other[:, 0], rtol=1e-5, atol=1e-6)


def trained(seed=0, updates=3, **changed):
    envs = BernoulliBandits(32, pulls=5, arms=2)
    policy = RecurrentActorCritic(envs, 8, seed=seed)
    history = train_rl2(policy, envs, updates=updates, seed=seed, **changed)
    return policy, history


def test_two_runs_agree_exactly_and_another_seed_does_not():
    runs = [trained(seed)[1] for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_history_counts_steps_and_holds_returns_of_trials():
    _, history = trained()
    assert history.steps == [160, 320, 480]
    assert [len(returns) for returns in history.returns] == [32] * 3
    assert np.ravel(history.returns).min() >= 0
    assert np.ravel(history.returns).max() <= 5


def test_nothing_is_traced_again_after_the_first_update(monkeypatch):
    assert_traced_in_the_first_update_alone(
        monkeypatch, RecurrentActorCritic, "call", lambda n: trained(updates=n)
    )


def test_it_learns_to_repeat_what_succeeds():
    # Two arms and eight pulls: pulling at random earns 4, the best rule 4.75.
    envs = BernoulliBandits(256, pulls=8, arms=2)
    policy = RecurrentActorCritic(envs, 16, seed=0)
    train_rl2(
        policy, envs, updates=60, seed=0, learning_rate=1e-2, reward_scale=1 / 8,
    )  # fmt: skip
    new = BernoulliBandits(4000, pulls=8, arms=2)
    trials = evaluate_rl2(policy, new, seed=9)
    assert trials.rewards.sum(axis=1).mean() > 4.5
    again = trials.actions[:, 1:] == trials.actions[:, :-1]
    success = trials.rewards[:, :-1] == 1
    assert again[success].mean() > again[~success].mean() + 0.3


def test_a_callback_can_end_the_training():
    _, history = trained(updates=50, callback=lambda history: len(history.kl) == 2)
    assert history.steps == [160, 320]
    assert history == trained(updates=50, callback=lambda h: len(h.kl) == 2)[1]
    longer = trained(updates=2)[1]  # the schedule knows of fifty
    assert history.returns[0] == longer.returns[0]
    assert history.kl != longer.kl


def test_a_learning_rate_of_zero_changes_nothing():
    policy, _ = trained(learning_rate=0.0)
    start, _ = trained(updates=0)
    for one, other in zip(policy.variables, start.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bad_input_is_named():
    envs = BernoulliBandits(6, pulls=2, arms=2)
    policy = RecurrentActorCritic(envs, 4, seed=0)
    with pytest.raises(ValueError, match="minibatches: expected to divide 6, got 4"):
        train_rl2(policy, envs, updates=1, seed=0)
    with pytest.raises(ValueError, match="envs: expected all students to leave"):
        evaluate_rl2(policy, Episodes(early=True), seed=0)
    for name in ("epochs", "minibatches"):
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
            train_rl2(policy, envs, updates=1, seed=0, **{name: 0})
    with pytest.raises(ValueError, match="updates: expected at least 0, got -1"):
        train_rl2(policy, envs, updates=-1, seed=0, minibatches=3)
    for name in ("learning_rate", "epsilon", "max_grad_norm", "gamma", "lambda_"):
        with pytest.raises(ValueError, match=f"{name}: expected .*, got -1"):
            train_rl2(policy, envs, updates=1, seed=0, minibatches=3, **{name: -1})
    envs.single_action_space = gym.spaces.Box(0, 1, (1,), np.float32)
    with pytest.raises(ValueError, match="envs: expected Discrete actions"):
        RecurrentActorCritic(envs, 4, seed=0)


@pytest.mark.parametrize(("part", "name"), [(0, "observations"), (1, "rewards")])
def test_what_is_not_finite_is_refused(part, name):
    class Spoiled(Episodes):
        def step(self, actions):
            step = super().step(actions)
            if self.t == 2:
                step[part][0] = np.nan
            return step

    policy = RecurrentActorCritic(Spoiled(), 4, seed=0)
    with pytest.raises(
        ValueError, match=f"envs: expected finite {name}, got NaN or inf"
    ):
        evaluate_rl2(policy, Spoiled(), seed=0)


def test_a_policy_that_breaks_stops_the_training():
    with pytest.raises((FloatingPointError, ValueError), match="finite"):
        trained(updates=5, learning_rate=float("inf"))
