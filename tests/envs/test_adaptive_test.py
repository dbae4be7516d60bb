"""The adaptive test: what is rewarded, what may be asked, and N students as one."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from refimpl.envs import AdaptiveTest, AdaptiveTestEnv, target_loss

J = 12
CORRECT = np.random.default_rng(0).integers(2, size=(30, J))


def share_right(items, answers):
    """A student model to compute by hand: (right + 1) / (asked + 2), for all items."""
    p = (answers.sum(axis=1) + 1) / (items.shape[1] + 2)
    return np.repeat(p[:, None], J, axis=1)


def first_allowed(envs):
    return envs.allowed.argmax(axis=1)


def make(num_envs=5, questions=4, correct=CORRECT):
    return AdaptiveTest(correct, share_right, num_envs, questions)


def test_a_session_by_hand():
    # Everybody answers items 0 to 5 right, the others wrong.
    envs = make(1, 2, np.repeat([[1] * 6 + [0] * 6], 3, axis=0))
    observation, _ = envs.reset(seed=0)
    right = (envs.target[0] < 6).sum()  # of the six items of the target
    assert observation[0, :2].tolist() == [0, 0]
    assert envs.loss[0] == pytest.approx(np.log(2))  # 1/2 for every item
    np.testing.assert_array_equal(observation[0, 2 : 2 + J], 0)

    item = np.flatnonzero(envs.allowed[0, :6])[:1]
    observation, reward, terminated, truncated, _ = envs.step(item)  # right: 2/3
    after_one = -(right * np.log(2 / 3) + (6 - right) * np.log(1 / 3)) / 6
    assert reward[0] == pytest.approx(np.log(2) - after_one)
    assert (terminated, truncated) == (False, False)
    assert observation[0, :2].tolist() == [1, 0.5]
    np.testing.assert_allclose(observation[0, 2 : 2 + J], np.log(2), rtol=1e-6)
    expected = np.ones(J)
    expected[envs.target[0]] = expected[item] = 0
    np.testing.assert_array_equal(observation[0, -J:], expected)

    item = 6 + np.flatnonzero(envs.allowed[0, 6:])[:1]
    observation, reward, terminated, _, _ = envs.step(item)  # wrong: 2/4
    assert reward[0] == pytest.approx(after_one - np.log(2))
    assert terminated
    assert observation[0, :2].tolist() == [-1, 1]


def test_rewards_add_up_to_the_loss_before_less_the_loss_after():
    envs = make()
    envs.reset(seed=1)
    before = target_loss(share_right(envs.items, envs.answers)[:, :6], envs.truth)
    total = sum(envs.step(first_allowed(envs))[1] for _ in range(4))
    after = target_loss(share_right(envs.items, envs.answers)[:, :6], envs.truth)
    np.testing.assert_allclose(total, before - after)


def test_the_model_sees_what_was_asked_and_answered_and_nothing_else():
    seen = []

    def model(items, answers):
        seen.append((items.copy(), answers.copy()))
        return share_right(items, answers)

    envs = AdaptiveTest(CORRECT, model, 5, 3)
    envs.reset(seed=0)
    asked = []
    for _ in range(3):
        asked.append(first_allowed(envs))
        envs.step(asked[-1])
    assert [items.shape for items, _ in seen] == [(5, t) for t in range(4)]
    np.testing.assert_array_equal(seen[-1][0], np.transpose(asked))
    recorded = CORRECT[envs.people[:, None], np.transpose(asked)]
    np.testing.assert_array_equal(seen[-1][1], recorded)


def test_what_was_asked_and_the_target_never_meet():
    envs = make(50, J // 2)
    rng = np.random.default_rng(0)
    observation, _ = envs.reset(seed=0)
    for _ in range(J // 2):
        allowed = observation[:, -J:]
        assert (np.take_along_axis(allowed, envs.target, axis=1) == 0).all()
        observation, *_ = envs.step((allowed * rng.random(allowed.shape)).argmax(1))
    every = np.sort(np.column_stack([envs.items, envs.target]), axis=1)
    np.testing.assert_array_equal(every, np.tile(np.arange(J), (50, 1)))


def test_targets_are_fresh_halves():
    # Each item is in the target of half of the students, and the next session's
    # target is another one.
    envs = make(4000, 1)
    envs.reset(seed=0)
    first = envs.target
    share = np.bincount(first.ravel(), minlength=J) / 4000
    assert abs(share - 0.5).max() < 5 * 0.5 / 4000**0.5
    envs.step(first_allowed(envs))
    envs.step(np.zeros(4000, dtype=int))
    same = (np.sort(first) == np.sort(envs.target)).all(axis=1)
    assert same.mean() < 0.01


def test_people_are_drawn_with_replacement_or_named():
    envs = make(3000)
    envs.reset(seed=0)
    count = np.bincount(envs.people, minlength=30)
    assert abs(count - 100).max() < 5 * 10
    envs.reset(seed=0, options={"people": np.arange(3000) % 30})
    np.testing.assert_array_equal(envs.people, np.arange(3000) % 30)
    truth = CORRECT[envs.people[:, None], envs.target]
    np.testing.assert_array_equal(envs.truth, truth)


@pytest.mark.parametrize("people", [[0, 1], [0, 1, 30, 2, 3], [0, 1, -1, 2, 3]])
def test_people_who_are_not_there_are_refused(people):
    with pytest.raises(ValueError, match="options: expected 5 people of 0 to 29"):
        make().reset(seed=0, options={"people": people})


@pytest.mark.parametrize("wrong", ["target", "asked", "beyond", "few", "float"])
def test_an_item_that_may_not_be_asked_is_refused(wrong):
    envs = make()
    envs.reset(seed=0)
    good = first_allowed(envs)
    envs.step(good)
    bad = {
        "target": envs.target[:, 0],
        "asked": good,
        "beyond": np.full(5, J),
        "few": first_allowed(envs)[:2],
        "float": first_allowed(envs).astype(float),
    }[wrong]
    before = envs.allowed.copy()
    with pytest.raises(ValueError, match="actions: expected"):
        envs.step(bad)
    np.testing.assert_array_equal(envs.allowed, before)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="correct: expected"):
        make(correct=CORRECT + 1)
    with pytest.raises(ValueError, match="correct: expected"):
        make(correct=CORRECT[0])
    for few in (CORRECT[:0], CORRECT[:, :1], CORRECT[:, :0]):
        with pytest.raises(ValueError, match="correct: .* got shape"):
            make(questions=1, correct=few)
    for questions in (0, J // 2 + 1):
        with pytest.raises(ValueError, match="questions: expected 1 to 6"):
            make(questions=questions)
    for model in (lambda i, a: np.ones((5, J)), lambda i, a: np.full((5, 1), 0.5)):
        with pytest.raises(ValueError, match="student_model: expected"):
            AdaptiveTest(CORRECT, model, 5, 3).reset(seed=0)
    with pytest.raises(TypeError, match="questions: expected an integer"):
        make(questions=2.5)
    with pytest.raises(ValueError, match="probabilities: expected numbers between"):
        target_loss(np.ones((1, 2)), np.ones((1, 2)))


@pytest.mark.parametrize("wrong", [0.0, 1.0, np.nan])
def test_every_item_needs_a_probability_in_the_target_or_not(wrong):
    envs = make(1)
    envs.reset(seed=0)

    def model(items, answers):
        p = share_right(items, answers)
        p[0, first_allowed(envs)[0]] = wrong  # none of the target
        return p

    envs.student_model = model
    with pytest.raises(ValueError, match="student_model: expected probabilities betw"):
        envs.reset(seed=0)


def test_the_step_after_the_last_question_is_a_reset():
    envs = make(5, 2)
    envs.reset(seed=0)
    ends = []
    for step in range(6):
        actions = np.full(5, -1) if step % 3 == 2 else first_allowed(envs)
        observation, reward, terminated, truncated, _ = envs.step(actions)
        ends.append(terminated.all())
        assert not truncated.any()
        if step % 3 == 2:
            assert (reward == 0).all()
            assert (observation[:, :2] == 0).all()
            assert (observation[:, -J:].sum(axis=1) == J / 2).all()
    assert ends == [False, True, False] * 2


def test_the_same_seed_gives_the_same_sessions():
    def play(seed):
        envs = make()
        out = [envs.reset(seed=seed)[0]]
        for _ in range(14):
            out.append(envs.step(first_allowed(envs))[0])
        return np.array(out)

    np.testing.assert_array_equal(play(3), play(3))
    assert (play(3) != play(4)).any()


@pytest.mark.filterwarnings("ignore:.*A Box observation space m")  # as it must have
def test_the_single_environment_passes_gymnasiums_check():
    # The check also draws an action in one session and takes it in another, where it
    # must happen not to be in the target: of three items one is. The seed sees to it.
    def half(items, answers):
        return np.full((len(items), 3), 0.5)

    env = AdaptiveTestEnv(CORRECT[:, :3], half, questions=2)
    env.action_space.seed(1)
    check_env(env, skip_render_check=True)


def test_a_sampled_action_is_always_one_that_may_be_asked():
    env = AdaptiveTestEnv(CORRECT, share_right, questions=6)
    env.reset(seed=0)
    for _ in range(100):
        if env.step(env.action_space.sample())[2]:
            env.reset()


def test_n_single_environments_equal_the_vector():
    vector = make(6, 3)
    single = AdaptiveTestEnv(CORRECT, share_right, questions=3)
    singles = gym.vector.SyncVectorEnv(
        [lambda: AdaptiveTestEnv(CORRECT, share_right, questions=3)] * 6
    )
    assert singles.metadata["autoreset_mode"] == vector.metadata["autoreset_mode"]
    assert single.observation_space == vector.single_observation_space
    assert single.action_space == vector.single_action_space
    assert singles.observation_space == vector.observation_space
    rng = np.random.default_rng(0)
    for seed in (3, None):  # a reset without a seed goes on with the generators
        first = [envs.reset(seed=seed)[0] for envs in (vector, singles)]
        np.testing.assert_array_equal(*first)
        for _ in range(50):
            actions = (vector.allowed * rng.random((6, J))).argmax(axis=1)
            for mine, theirs in zip(
                vector.step(actions)[:4], singles.step(actions)[:4], strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)
