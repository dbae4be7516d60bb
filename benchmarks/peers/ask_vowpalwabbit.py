"""Vowpal Wabbit: a contextual bandit learns from one logged choice."""

from vowpalwabbit import Workspace


def answers(given):
    bandit = Workspace("--cb 2 --quiet")
    bandit.learn("1:-1:0.5 | grade5")
    assert bandit.predict("| grade5") in (1, 2)
    return {}
