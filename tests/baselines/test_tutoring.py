"""Tutoring rules: choices by hand, the plan by brute force, and how they rank."""

from itertools import product

import numpy as np
import pytest

from refimpl.baselines.tutoring import (
    CLASSIC,
    below,
    expected_known,
    hopeful,
    mastery,
    oracle,
    play,
    random_skill,
    round_robin,
)
from refimpl.baselines.tutoring_bayes import bayesian, plan, trace_all
from refimpl.baselines.tutoring_plan import (
    STATES,
    exact_mastery,
    first_belief,
    moves,
    trace_states,
)
from refimpl.envs import POOLED, Rates, Tutor
from refimpl.envs.knowledge import (
    SLOWDOWN,
    chances,
    draw_rates,
    first_known,
    right_chance,
    trace,
)

ONE = Rates(prior=0.5, learn=0.3, forget=0.1, guess=0.2, slip=0.1)


@pytest.fixture(scope="module")
def students():
    return draw_rates(np.random.default_rng(0).standard_normal((20, 5)))


def test_the_mastery_rule_by_hand():
    bars = np.array([[0.96, 0.5, 0.2, 0, 0], [0.94, 0.5, 0.2, 0, 0], [0.99] * 5])
    bars[2, 3] = 0.96
    assert below(bars, 0.95).tolist() == [1, 0, 3]


def test_the_classic_tutor_goes_back_only_when_all_is_mastered():
    # Without forgetting, a bar that is full stays full while others are practiced.
    full, last, moves_on = np.zeros(300, bool), np.zeros(300, int), 0

    def watched(seen, envs, rng):
        nonlocal full, last, moves_on
        chosen = mastery()(seen, envs, rng)
        full |= (seen[:, -5:] >= 0.95).all(axis=1)
        assert (chosen >= last)[~full].all()
        moves_on += (chosen > last)[~full].sum()
        last = chosen
        return chosen

    play(Tutor(300, bars=CLASSIC), watched, seed=0)
    assert moves_on > 300
    assert full.any()


def test_round_robin_takes_turns():
    envs = Tutor(2, exercises=7)
    chosen = []

    def watched(seen, envs, rng):
        chosen.append(round_robin(seen, envs, rng)[0])
        return round_robin(seen, envs, rng)

    play(envs, watched, seed=0)
    assert chosen == [0, 1, 2, 3, 4, 0, 1]


def test_the_oracle_by_hand():
    # 0 and 1 are known. To practice 2 adds .3 and loses .1 + .1; 3 and 4 add less,
    # as 2 is missing; to practice 0 or 1 only keeps it.
    known = np.array([[1.0, 1, 0, 0, 0]])
    expected = 2 - 0.2 + np.array([0.1, 0.1, 0.3, 0.3 * SLOWDOWN, 0.3 * SLOWDOWN])
    np.testing.assert_allclose(expected_known(known, ONE), [expected])
    # Who learns more slowly than they forget should keep what they have.
    slow = Rates(prior=0.5, learn=0.05, forget=0.1, guess=0.2, slip=0.1)
    assert expected_known(known, slow).argmax() == 0


def best_plan(rates, exercises):
    """How many skills N students can know in the end, on average: [N, 32], by first k.

    No rule whatever can do better on average than ``plan``. The oracle, which looks one
    exercise ahead, does as well: among unknown skills one is always ready, whatever was
    learned before, and all skills are learned, and forgotten, at the same rate.
    """
    guess, slip = rates.guess[:, None], rates.slip[:, None]
    best = plan(rates, exercises)[0].max(axis=2)
    return (best - guess) / (1 - guess - slip) * 5


def test_moves_are_distributions_with_the_right_margins(students):
    following = moves(students)
    np.testing.assert_allclose(following.sum(axis=3), 1)
    state, skill = 0b00111, 3
    rates = Rates(**{name: value[4] for name, value in vars(students).items()})
    np.testing.assert_allclose(
        following[4, state, skill] @ STATES, chances(STATES[state], skill, rates)
    )


def test_the_plan_is_better_than_all_fixed_orders(students):
    # By brute force: each of the 125 orders of three exercises, from each state.
    value = best_plan(students, exercises=3)
    following = moves(students)
    fixed = np.full(value.shape, -np.inf)
    for order in product(range(5), repeat=3):
        ahead = np.tile(STATES.sum(axis=1), (20, 1))[..., None]
        for skill in reversed(order):
            ahead = following[:, :, skill] @ ahead
        fixed = np.maximum(fixed, ahead[..., 0])
    assert (value >= fixed - 1e-12).all()
    assert (value - fixed).max() > 0.1  # it waits and sees whether a skill is learned


def test_one_step_greed_costs_nothing_here():
    # The oracle's value, policy evaluation over 30 exercises, is the plan's, for each
    # student and state. A mistake in either would part them.
    rates = draw_rates(np.random.default_rng(1).standard_normal((200, 5)))
    value = best_plan(rates, exercises=30)
    following = moves(rates)
    now = np.stack([expected_known(STATES[[s]], rates) for s in range(32)], axis=1)
    path = np.take_along_axis(following, now.argmax(2)[:, :, None, None], 2)[:, :, 0]
    greedy = np.tile(STATES.sum(axis=1), (200, 1))
    for _ in range(30):
        greedy = (path @ greedy[..., None])[..., 0]
    np.testing.assert_allclose(greedy, value, rtol=1e-9)


def test_a_plan_for_one_exercise_is_the_oracles_gain(students):
    value = best_plan(students, exercises=1)
    for state in range(32):
        expected = expected_known(np.tile(STATES[state], (20, 1)), students)
        np.testing.assert_allclose(value[:, state], expected.max(axis=1))


def test_the_oracle_gains_what_the_plan_promises():
    # The environment and dynamic programming must mean the same world.
    envs = Tutor(2000)
    gains = play(envs, oracle, seed=0).sum(axis=1)
    envs.reset(seed=int(np.random.default_rng(0).integers(2**31)))  # as play did
    value = best_plan(envs.rates, envs.exercises)
    state = (envs.known @ 2 ** np.arange(5)).astype(int)
    more = value[np.arange(2000), state] - envs.known.sum(axis=1)
    error = gains - more / 5 * (1 - envs.rates.guess - envs.rates.slip)
    assert error.mean() == pytest.approx(0, abs=4 * error.std() / 2000**0.5)
    assert error.std() < 0.2


def test_exact_beliefs_begin_with_the_prior_and_know_prerequisites():
    belief = first_belief(ONE)
    np.testing.assert_allclose(belief.sum(), 1)
    np.testing.assert_allclose((belief @ STATES)[0], first_known(0.5))
    # Who has 1 without 0 is impossible at first; a right answer to 4 tells about 0:
    # P(0 | right) = (0.9 / 32 + 0.2 * 15 / 32) / (0.2 + 0.7 / 32); 0.9 of it stays.
    assert belief[0, 0b00010] == 0
    after = trace_states(belief, np.array([4]), np.array([1]), ONE, moves(ONE))
    expected = 0.9 * (0.9 / 32 + 0.2 * 15 / 32) / (0.2 + 0.7 / 32)
    assert (after @ STATES)[0, 0] == pytest.approx(expected)
    bars = trace(belief @ STATES, np.array([4]), np.array([1]), ONE)
    assert bars[0, 0] == pytest.approx(0.9 * 0.5)  # to plain bars it tells nothing


def test_exact_beliefs_equal_plain_bars_for_a_single_skill():
    # Skill 0 rests on nothing: both ways to trace it must agree.
    belief, bars = first_belief(ONE), first_known(0.5)[None]
    for right in (1, 0, 1):
        answer = np.array([right])
        belief = trace_states(belief, np.array([0]), answer, ONE, moves(ONE))
        bars = trace(bars, np.array([0]), answer, ONE)
        assert (belief @ STATES)[0, 0] == pytest.approx(bars[0, 0])


def test_exact_beliefs_are_calibrated():
    # Of the skills that are known with 70 % by the student's own rates, 70 % are.
    envs = Tutor(4000)
    envs.reset(seed=0)
    rates, rng = envs.rates, np.random.default_rng(0)
    belief, following = first_belief(rates), moves(rates)
    for _ in range(8):
        practiced = rng.integers(5, size=4000)
        seen = envs.step(practiced)[0]
        belief = trace_states(belief, practiced, seen[:, 5] == 1, rates, following)
    bars = belief @ STATES
    for low in np.arange(0, 1, 0.25):
        part = (bars >= low) & (bars < low + 0.25)
        gap = (envs.known[part] - bars[part]).mean()
        assert gap == pytest.approx(0, abs=2.5 / part.sum() ** 0.5)


def several(count, seed):
    return draw_rates(np.random.default_rng(seed).standard_normal((count, 5)))


def test_with_one_set_of_rates_the_joint_belief_is_the_exact_one():
    rng, one = np.random.default_rng(0), several(1, 0)
    belief = np.tile(first_belief(one), (50, 1))
    joint, following = belief[:, None], moves(one)
    for _ in range(10):
        practiced, right = rng.integers(5, size=50), rng.integers(2, size=50)
        belief = trace_states(belief, practiced, right, one, following)
        joint = trace_all(joint, practiced, right, one, following)
    np.testing.assert_allclose(joint[:, 0], belief)


def test_the_joint_belief_is_bayes_rule_over_whole_histories():
    # P(rates | answers) from the probability of all answers under each set of rates.
    rng, sets = np.random.default_rng(1), several(3, 1)
    practiced, right = rng.integers(5, size=(2, 6, 1))
    right = right % 2
    joint, following = first_belief(sets)[None] / 3, moves(sets)
    likelihood, alone = np.ones(3), first_belief(sets)
    for a, y in zip(practiced, right, strict=True):
        joint = trace_all(joint, a, y, sets, following)
        p = right_chance(STATES[:, a[0]], sets.columns())
        said = alone * (p if y[0] else 1 - p)
        likelihood *= said.sum(axis=1)
        said /= said.sum(axis=1, keepdims=True)
        alone = (said[:, None] @ following[:, :, a[0]])[:, 0]
    expected = likelihood / likelihood.sum()
    np.testing.assert_allclose(joint[0].sum(axis=1), expected)
    np.testing.assert_allclose(joint[0], expected[:, None] * alone)


def test_who_has_no_doubt_about_rates_and_state_chooses_as_the_oracle():
    # A student who knows nothing yet, never guesses, never slips and learns at once.
    sure = Rates(*(np.array([rate]) for rate in (0.0, 1.0, 0.0, 0.0, 0.0)))
    chosen = []

    def watched(seen, envs, rng):
        rule = bayesian_of_sure(seen, envs, rng)
        chosen.append((int(rule[0]), int(oracle(seen, envs, rng)[0])))
        return rule

    bayesian_of_sure = bayesian(sure)
    envs = Tutor(1, exercises=5)
    reset = envs.reset
    envs.reset = lambda seed=None: reset(seed=seed, options={"rates": sure})
    gain = play(envs, watched, seed=0)
    assert [mine for mine, _ in chosen] == [best for _, best in chosen]
    assert gain.sum() == pytest.approx(1)


def test_rules_that_need_bars_say_so():
    for rule in (mastery(), hopeful):
        with pytest.raises(ValueError, match="envs: expected a Tutor with bars"):
            play(Tutor(2), rule, seed=0)


def test_the_rules_meet_the_same_students_and_rank_as_they_should():
    rules = {
        "random": (random_skill, None),
        "mastery": (mastery(0.7), CLASSIC),
        "mastery with review": (mastery(0.8), POOLED),
        "exact bars, own rates": (exact_mastery(0.8), None),
        "oracle": (oracle, None),
        "exact bars": (exact_mastery(0.8, POOLED), None),
        "Bayesian": (bayesian(several(64, 2)), None),
        "round robin": (round_robin, None),
    }
    totals, luck = {}, []
    for name, (rule, bars) in rules.items():
        envs = Tutor(4000, bars=bars)
        totals[name] = play(envs, rule, seed=1).sum(axis=1)
        luck.append(envs.luck)
    assert all((other == luck[0]).all() for other in luck)

    def better(one, other):
        """By at least three standard errors of the paired difference."""
        gap = totals[one] - totals[other]
        return gap.mean() > 3 * gap.std() / 4000**0.5

    order = list(rules)[:5]
    for one, other in zip(order[1:], order[:-1], strict=True):
        assert better(one, other), f"{one} against {other}"
    assert better("Bayesian", "exact bars")
    assert better("exact bars", "mastery")
    assert better("round robin", "random")
    gap = (totals["oracle"] - totals["random"]).mean()
    assert gap == pytest.approx(0.142, abs=0.01)  # as over 8 seeds of 4,000 students
