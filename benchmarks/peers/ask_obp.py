"""Open Bandit Pipeline: the worth of a policy, from the log of another one."""

import numpy as np
from obp.ope import InverseProbabilityWeighting


def answers(given):
    rng = np.random.default_rng(0)
    action, reward = rng.integers(2, size=100), rng.integers(2, size=100)
    always_one = np.tile([[[0.0], [1.0]]], (100, 1, 1))
    found = InverseProbabilityWeighting().estimate_policy_value(
        reward=reward, action=action, pscore=np.full(100, 0.5), action_dist=always_one
    )
    return {"action": action, "reward": reward, "value": found}
