"""Acting: what is remembered is what happened, and resets are not experience."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from refimpl.ppo import ActorCritic, evaluate
from refimpl.ppo.compiled import Alike, judge_for
from refimpl.ppo.rollout import Collector, flat
from tests.ppo.worlds import Spoiled, Target, cart_pole


class Bolder(ActorCritic):
    """Computes something of its own, so that TensorFlow has to act."""

    def call(self, observations):
        output, values = super().call(observations)
        return 100 * output, values


def collector(envs, kind=ActorCritic):
    made = Collector(envs, kind(envs, (8,), seed=0))
    made.reset(3)
    return made


def noise(made, steps, seed=0):
    shape = (steps, made.world.envs.num_envs)
    return made.policy.distribution.noise(np.random.default_rng(seed), shape)


@pytest.mark.parametrize("kind", [ActorCritic, Bolder])
def test_a_rollout_is_what_a_plain_loop_would_do(kind):
    made = collector(cart_pole(), kind)
    drawn = noise(made, 40)
    rollout = made.collect(drawn)

    again = cart_pole()
    observations, _ = again.reset(seed=3)
    done = np.zeros(4, bool)
    for t in range(40):
        np.testing.assert_array_equal(rollout.observations[t], observations)
        np.testing.assert_array_equal(rollout.valid[t], ~done)
        # The actions remembered are those that this observation and noise give ...
        logits = made.policy(observations)[0].numpy()
        np.testing.assert_array_equal(
            rollout.actions[t], (logits + drawn[t]).argmax(-1)
        )
        # ... and those that were executed.
        observations, *rest = again.step(rollout.actions[t])[:4]
        for name, theirs in zip(
            ("rewards", "terminated", "truncated"), rest, strict=True
        ):
            np.testing.assert_array_equal(getattr(rollout, name)[t], theirs)
        done = rest[1] | rest[2]
    np.testing.assert_array_equal(rollout.observations[40], observations)
    assert not rollout.valid.all()


def test_the_next_rollout_goes_on_where_the_last_one_stopped():
    whole = collector(cart_pole())
    parts = collector(cart_pole())
    drawn = noise(whole, 60)
    one = whole.collect(drawn)
    two = [parts.collect(part) for part in (drawn[:25], drawn[25:])]
    np.testing.assert_array_equal(two[0].observations[-1], two[1].observations[0])
    for name in ("actions", "rewards", "terminated", "valid"):
        joined = np.concatenate([getattr(part, name) for part in two])
        np.testing.assert_array_equal(getattr(one, name), joined)
    assert one.episodes == two[0].episodes + two[1].episodes


def test_continuous_actions_are_remembered_as_sampled_and_executed_within_bounds():
    envs = Target()
    made = collector(envs)
    rollout = made.collect(noise(made, 20))
    assert np.abs(rollout.actions).max() > 1
    np.testing.assert_array_equal(np.stack(envs.seen), rollout.actions.clip(-1, 1))
    assert rollout.observations.dtype == np.float32


def test_returns_leave_out_what_a_reset_pays():
    def pay(count, resets, step):
        step[1] = np.where(resets, 1000.0, step[1])
        return step

    made = collector(Spoiled(pay))
    rollout = made.collect(noise(made, 60))
    assert (rollout.rewards[~rollout.valid] == 1000).all()
    episodes = {i: 0.0 for i in range(4)}
    for i, total in rollout.episodes:
        episodes[i] += total
    ends = rollout.terminated | rollout.truncated
    for i, total in episodes.items():
        last = np.flatnonzero(ends[:, i])[-1] + 1
        kept = rollout.valid[:last, i]
        assert total == pytest.approx(rollout.rewards[:last, i][kept].sum())


def test_flattening_keeps_time_and_environment_together():
    array = np.arange(3 * 4 * 2).reshape(3, 4, 2)
    rows = flat(array)
    for t in range(3):
        for n in range(4):
            np.testing.assert_array_equal(rows[t * 4 + n], array[t, n])


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_another_autoreset_is_refused(mode):
    envs = gym.make_vec(
        "CartPole-v1",
        num_envs=2,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
    )
    with pytest.raises(ValueError, match="envs: expected AutoresetMode.NEXT_STEP"):
        Collector(envs, ActorCritic(envs, (8,), seed=0))


def test_an_error_of_the_environment_comes_through_as_it_is():
    class BrokenError(Exception):
        pass

    def fail(count, resets, step):
        raise BrokenError("the pen is empty")

    made = collector(Spoiled(fail))
    with pytest.raises(BrokenError, match="the pen is empty"):
        made.collect(noise(made, 3))


def test_an_observation_that_is_not_finite_is_refused():
    def spoil(count, resets, step):
        step[0][0, 0] = np.nan
        return step

    made = collector(Spoiled(spoil))
    with pytest.raises(ValueError, match="envs: expected finite observations"):
        made.collect(noise(made, 3))


def test_acting_is_traced_once_whatever_the_number_of_steps():
    made = collector(cart_pole(), Bolder)
    for steps in (5, 9, 5):
        made.collect(noise(made, steps))
    judge = judge_for(Alike(made.policy))
    assert judge.experimental_get_tracing_count() == 1


def test_evaluation_plays_the_same_number_of_episodes_everywhere():
    envs = cart_pole(5)
    policy = ActorCritic(envs, (8,), seed=0)
    first = evaluate(policy, envs, episodes=3, seed=1)
    assert first.shape == (5, 3)
    np.testing.assert_array_equal(first, evaluate(policy, envs, 3, seed=1))
    assert (first != evaluate(policy, envs, 3, seed=2)).any()
    drawn = evaluate(policy, envs, 3, seed=1, greedy=False)
    assert (first != drawn).any()


def test_a_greedy_tutor_earns_what_is_known():
    # Repeat, and go on as soon as the student knows: no other action is greedy here.
    envs = Spoiled(lambda count, resets, step: step, num_envs=300, max_steps=10**6)
    policy = ActorCritic(envs, (), seed=0)
    policy.actor.layers[0].set_weights(
        [np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)]
    )
    returns = evaluate(policy, envs, seed=0)
    # Rewards until the course is over are geometric with mean 1 / .2.
    assert returns.mean() == pytest.approx(5, abs=4 * returns.std() / 300**0.5)
