"""Typical wrong solutions of assignment 1, and what each of them should get.

`cells` holds sources of answer cells; all the others are the reference solution.
`points` are those given by the tests, of 15.
"""

WRONG = [
    {
        "name": "typing order",
        "why": "takes the first rows for the first tests",
        "points": 13,
        "cells": {
            "q1": """
def cut(years, scores, shots):
    record = np.column_stack([years, scores])
    return record[:shots], record[shots:]
"""
        },
    },
    {
        "name": "sorted apart",
        "why": "sorts years and scores each for itself, so that scores change years",
        "points": 13,
        "cells": {
            "q1": """
def cut(years, scores, shots):
    record = np.column_stack([np.sort(years), np.sort(scores)])
    return record[:shots], record[shots:]
"""
        },
    },
    {
        "name": "known tests asked again",
        "why": "leaves the support set in the query set",
        "points": 13,
        "cells": {
            "q1": """
def cut(years, scores, shots):
    record = np.column_stack([years, scores])[np.argsort(years)]
    return record[:shots], record
"""
        },
    },
    {
        "name": "zero means empty",
        "why": "guesses the mask from the values, so a score of zero is lost",
        "points": 14,
        "cells": {
            "q2": """
def fill(parts, places):
    x = np.zeros((len(parts), places, 1), np.float32)
    y = np.zeros((len(parts), places, 1), np.float32)
    for i, part in enumerate(parts):
        x[i, :len(part), 0] = part[:, 0]
        y[i, :len(part), 0] = part[:, 1]
    return x, y, (y[..., 0] != 0).astype(np.float32)
"""
        },
    },
    {
        "name": "double precision, no mask",
        "why": "forgets the type and counts every place as observed",
        "points": 13,
        "cells": {
            "q2": """
def fill(parts, places):
    x, y = np.zeros((2, len(parts), places, 1))
    for i, part in enumerate(parts):
        x[i, :len(part), 0], y[i, :len(part), 0] = part.T
    return x, y, np.ones((len(parts), places))
"""
        },
    },
    {
        "name": "split by rows",
        "why": "draws rows, so that most students are on both sides",
        "points": 13,
        "cells": {
            "q3": """
def test_rows(student, share, rng):
    return rng.random(len(student)) < share
"""
        },
    },
    {
        "name": "more rows, more chances",
        "why": "draws students from the rows, those with many rows more often",
        "points": 13,
        "cells": {
            "q3": """
def test_rows(student, share, rng):
    wanted, drawn = round(share * len(set(student))), set()
    while len(drawn) < wanted:
        drawn.add(rng.choice(student))
    return np.isin(student, list(drawn))
"""
        },
    },
    {
        "name": "answers shifted",
        "why": "adds a constant, which a forecaster that looks at the spread outlives",
        "points": 13,
        "cells": {
            "q4": """
def sees_answers(forecaster, batch, rng):
    other = replace(batch, query_y=batch.query_y + 1)
    return bool((forecaster(other) != forecaster(batch)).any())
"""
        },
    },
    {
        "name": "too good to be honest",
        "why": "takes a small error for a leak, but copies may be off, and leaks faint",
        "points": 12,
        "cells": {
            "q4": """
def sees_answers(forecaster, batch, rng):
    return rmse(forecaster(batch), batch) < 0.05
"""
        },
    },
    {
        "name": "support changed, too",
        "why": "changes what a forecaster may look at, and accuses the honest ones",
        "points": 12,
        "cells": {
            "q4": """
def sees_answers(forecaster, batch, rng):
    noise = rng.normal(size=batch.query_y.shape).astype(np.float32)
    other = replace(batch, query_y=noise, support_y=batch.support_y + 1)
    return bool((forecaster(other) != forecaster(batch)).any())
"""
        },
    },
    {
        "name": "uphill",
        "why": "adds the derivative where it should be taken off",
        "points": 12,
        "cells": {
            "q5": """
def meta_step(c, s, k, q, mask, beta):
    level = s / (k + c)
    by_level = (2 * (level[:, None] - q) * mask).sum(axis=1) / mask.sum(axis=1)
    return max(c + beta * np.mean(by_level * -s / (k + c) ** 2), 0.0)
"""
        },
    },
    {
        "name": "empty places count",
        "why": "takes the mean over all places, also the empty ones",
        "points": 13,
        "cells": {
            "q5": """
def meta_step(c, s, k, q, mask, beta):
    level = s / (k + c)
    by_level = (2 * (level[:, None] - q)).mean(axis=1)
    return max(c - beta * np.mean(by_level * -s / (k + c) ** 2), 0.0)
"""
        },
    },
    {
        "name": "below nothing",
        "why": "lets the number of pretended tests fall below zero",
        "points": 13,
        "cells": {
            "q5": """
def meta_step(c, s, k, q, mask, beta):
    level = s / (k + c)
    by_level = (2 * (level[:, None] - q) * mask).sum(axis=1) / mask.sum(axis=1)
    return c - beta * np.mean(by_level * -s / (k + c) ** 2)
"""
        },
    },
    {
        "name": "not paired",
        "why": "draws other schools for the learner than for the baseline",
        "points": 13,
        "cells": {
            "q6": """
def gain(baseline, learner, queries, school, rng, draws=2000):
    number = np.unique(school, return_inverse=True)[1]
    b, w, n = (np.bincount(number, weights=a) for a in (baseline, learner, queries))
    def error(total, drawn):
        return np.sqrt(total[drawn].sum(axis=-1) / n[drawn].sum(axis=-1))
    rows = rng.integers(len(n), size=(2, draws, len(n)))
    sample = error(b, rows[0]) - error(w, rows[1])
    everyone = np.arange(len(n))
    return (error(b, everyone) - error(w, everyone),
            *np.quantile(sample, [0.025, 0.975]))
"""
        },
    },
    {
        "name": "children, not schools",
        "why": "draws single children, as if those of one school had nothing in common",
        "points": 13,
        "cells": {
            "q6": """
def gain(baseline, learner, queries, school, rng, draws=2000):
    def difference(rows):
        n = queries[rows].sum(axis=-1)
        return (np.sqrt(baseline[rows].sum(axis=-1) / n)
                - np.sqrt(learner[rows].sum(axis=-1) / n))
    m = len(queries)
    sample = difference(rng.integers(m, size=(draws, m)))
    return difference(np.arange(m)), *np.quantile(sample, [0.025, 0.975])
"""
        },
    },
    {
        "name": "mean of the children's errors",
        "why": "averages each child's RMSE, which is not the RMSE over queries",
        "points": 12,
        "cells": {
            "q6": """
def gain(baseline, learner, queries, school, rng, draws=2000):
    each = np.sqrt(baseline / queries) - np.sqrt(learner / queries)
    names = np.unique(school)
    by_school = np.array([each[school == s].mean() for s in names])
    rows = rng.integers(len(names), size=(draws, len(names)))
    sample = by_school[rows].mean(axis=1)
    return by_school.mean(), *np.quantile(sample, [0.025, 0.975])
"""
        },
    },
]
