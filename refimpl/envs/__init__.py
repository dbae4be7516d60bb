"""Worlds to act in, many students at once. NumPy and Gymnasium only."""

from refimpl.envs.two_state import TwoStateEnv, TwoStateVectorEnv, state_values

__all__ = ["TwoStateEnv", "TwoStateVectorEnv", "state_values"]
