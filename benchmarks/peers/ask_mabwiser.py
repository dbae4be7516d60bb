"""MABWiser: a bandit learns and recommends."""

from mabwiser.mab import MAB, LearningPolicy


def answers(given):
    bandit = MAB(arms=["video", "quiz"], learning_policy=LearningPolicy.UCB1(alpha=1))
    bandit.fit(decisions=["video", "quiz", "quiz"], rewards=[1, 0, 1])
    assert bandit.predict() in ("video", "quiz")
    return {}
