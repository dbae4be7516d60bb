"""How fast is an environment by itself?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def environment_speed(
    envs: Any, actions: Callable[[], np.ndarray], target: float, sessions: int = 20
) -> pd.DataFrame:
    """Student-steps per second, without a policy, and over ``target``.

    ``actions()`` [T + 1, N] are those of a session and of the reset after it, whose
    time counts, though it is no step. Two rows, each a median over sessions: by the
    clock on the wall, and by the processor's, free of others' work on the machine.
    """
    envs.reset(seed=0)
    rates = []
    for _ in range(sessions):
        chosen = actions()
        begin = np.array([time.perf_counter(), time.process_time()])
        for now in chosen:
            envs.step(now)
        spent = np.array([time.perf_counter(), time.process_time()]) - begin
        rates.append((len(chosen) - 1) * envs.num_envs / spent)
    names = ["steps per second", "steps per CPU second"]
    table = pd.DataFrame({"measure": names, "refimpl": np.median(rates, axis=0)})
    return table.assign(target=target, ratio=table["refimpl"] / target)
