"""Worlds to act in, many students at once. NumPy and Gymnasium only."""

from refimpl.envs.adaptive_test import AdaptiveTest, AdaptiveTestEnv, target_loss
from refimpl.envs.rewards import even_exposure, shuffled
from refimpl.envs.two_state import TwoStateEnv, TwoStateVectorEnv, state_values

__all__ = [
    "AdaptiveTest",
    "AdaptiveTestEnv",
    "TwoStateEnv",
    "TwoStateVectorEnv",
    "even_exposure",
    "shuffled",
    "state_values",
    "target_loss",
]
