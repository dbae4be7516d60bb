"""Spinning Up: the discounted sum that its advantages are made of."""

import numpy as np
from spinup.algos.pytorch.ppo.core import discount_cumsum


def answers(given):
    return {"sum": np.array(discount_cumsum(given["rewards"][:, 0], 0.99))}
