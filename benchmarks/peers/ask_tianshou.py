"""Tianshou's advantages, from its own compiled function."""

import numpy as np
from tianshou.data import Batch, ReplayBuffer


def answers(given):
    buffer = ReplayBuffer(8)
    for t in range(8):
        buffer.add(
            Batch(
                obs=np.zeros(2), act=0, rew=1.0, terminated=t == 7, truncated=False,
                obs_next=np.zeros(2), info={},
            )
        )  # fmt: skip
    assert len(buffer) == 8
    return {}
