"""Tianshou's advantages, student by student, from its own buffer."""

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.data import Batch, ReplayBuffer


def answers(given):
    T, N = given["rewards"].shape
    found = np.zeros((T, N))
    for n in range(N):
        buffer = ReplayBuffer(T)
        for t in range(T):
            buffer.add(
                Batch(
                    obs=np.zeros(1), act=0, rew=given["rewards"][t, n],
                    terminated=given["terminated"][t, n], truncated=False,
                    obs_next=np.zeros(1), info={},
                )
            )  # fmt: skip
        values = torch.tensor(given["values"][:, n])
        _, found[:, n] = Algorithm.compute_episodic_return(
            buffer[:], buffer, np.arange(T), values[1:], values[:-1],
            gamma=0.99, gae_lambda=0.95,
        )  # fmt: skip
    return {"advantages": found}
