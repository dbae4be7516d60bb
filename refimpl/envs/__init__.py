"""Worlds to act in, many students at once. NumPy and Gymnasium only."""

from refimpl.envs.adaptive_test import AdaptiveTest, AdaptiveTestEnv, target_loss
from refimpl.envs.bandit import BernoulliBandit, BernoulliBandits
from refimpl.envs.one_student import OneStudentEnv
from refimpl.envs.rewards import even_exposure, shuffled
from refimpl.envs.two_state import TwoStateEnv, TwoStateVectorEnv, state_values

__all__ = [
    "AdaptiveTest",
    "AdaptiveTestEnv",
    "BernoulliBandit",
    "BernoulliBandits",
    "OneStudentEnv",
    "TwoStateEnv",
    "TwoStateVectorEnv",
    "even_exposure",
    "shuffled",
    "state_values",
    "target_loss",
]
