"""Worlds to act in, many students at once. NumPy and Gymnasium only."""

from refimpl.envs.adaptive_test import AdaptiveTest, AdaptiveTestEnv, target_loss
from refimpl.envs.bandit import BernoulliBandit, BernoulliBandits
from refimpl.envs.knowledge import POOLED, Rates
from refimpl.envs.navigation import Navigation2D, Navigation2DEnv
from refimpl.envs.rewards import even_exposure, shuffled
from refimpl.envs.students import OneStudentEnv, StudentsEnv
from refimpl.envs.tutor import Tutor, TutorEnv
from refimpl.envs.two_state import TwoStateEnv, TwoStateVectorEnv, state_values

__all__ = [
    "POOLED",
    "AdaptiveTest",
    "AdaptiveTestEnv",
    "BernoulliBandit",
    "BernoulliBandits",
    "Navigation2D",
    "Navigation2DEnv",
    "OneStudentEnv",
    "Rates",
    "StudentsEnv",
    "Tutor",
    "TutorEnv",
    "TwoStateEnv",
    "TwoStateVectorEnv",
    "even_exposure",
    "shuffled",
    "state_values",
    "target_loss",
]
