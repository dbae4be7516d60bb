"""catsim: probabilities and information of items, and its choice of the next one."""

import numpy as np
from catsim import irt


def answers(given):
    a, b, c = given["slopes"], given["difficulties"], given["guessing"]
    items = np.stack([a, b, c, np.ones_like(a)], axis=1)
    each = given["abilities"]
    return {
        "probabilities": [irt.icc_hpc(theta, items) for theta in each],
        "information": [irt.inf_hpc(theta, items) for theta in each],
    }
