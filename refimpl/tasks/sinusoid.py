"""MAML's sine waves: a task is one wave (Finn, Abbeel & Levine 2017, section 5.1)."""

from __future__ import annotations

import math

import numpy as np

from refimpl.checks import check_count, check_rng
from refimpl.tasks.batch import TaskBatch


class SinusoidTasks:
    """Waves y = A sin(x - phi) with A in [0.1, 5], phi in [0, pi], x in [-5, 5].

    All three are drawn uniformly; there is no noise. These are the regression
    tasks of Finn, Abbeel & Levine (2017), section 5.1, which gives the ranges;
    the sign of phi is that of the authors' code.
    """

    amplitude = (0.1, 5.0)
    phase = (0.0, math.pi)
    x = (-5.0, 5.0)

    def sample(
        self, tasks: int, shots: int, queries: int, rng: np.random.Generator
    ) -> TaskBatch:
        """Draw new waves and, for each, new support and query points.

        Parameters
        ----------
        tasks, shots, queries : int
            M >= 1 waves, K >= 0 support points, Q >= 1 query points.
        rng : np.random.Generator
            Where every random number comes from.

        Returns
        -------
        TaskBatch
            Of M tasks, K support and Q query points, D = O = 1; with
            ``shots=0`` there is one support place, and its mask is 0.

        Raises
        ------
        TypeError, ValueError
            If a count is not an integer or too small, or ``rng`` no generator.
        """
        tasks = check_count("tasks", tasks, least=1)
        shots = check_count("shots", shots, least=0)
        queries = check_count("queries", queries, least=1)
        check_rng(rng)
        places = max(shots, 1)
        amplitude = rng.uniform(*self.amplitude, size=(tasks, 1, 1))
        phase = rng.uniform(*self.phase, size=(tasks, 1, 1))
        x = rng.uniform(*self.x, size=(tasks, places + queries, 1))
        y = amplitude * np.sin(x - phase)
        mask = np.ones((tasks, places + queries))
        if shots == 0:
            x[:, 0], y[:, 0], mask[:, 0] = 0, 0, 0
        support = [a[:, :places].astype(np.float32) for a in (x, y, mask)]
        query = [a[:, places:].astype(np.float32) for a in (x, y, mask)]
        return TaskBatch(*support, *query)
