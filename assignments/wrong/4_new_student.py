"""Typical wrong solutions of assignment 4, and the points that they should earn.

``points`` are those of the automatic tests (15 in all) if every other cell holds the
reference solution.
"""

SCHOOL_DRAWS = """
def school_draws(school, draws, seed):
    rng = np.random.default_rng(seed)
    which = np.unique(school, return_inverse=True)[1]
    n = which.max() + 1
    times = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    return times[:, which]
"""

LEAD = """
def lead(ours, rival, count, weights):
    def root(squared, weight):
        return np.sqrt(weight @ squared / (weight @ count))

    once = np.ones(len(count))
    drawn = root(rival, weights) - root(ours, weights)
    return root(rival, once) - root(ours, once), *np.quantile(drawn, (0.025, 0.975))
"""

WRONG = [
    dict(
        name="forecast before adapting",
        cells={
            "forecast": """
def forecast(batch, steps, seed=0):
    params, rates = start(seed)
    made = maml.predict(net, params, batch, num_steps=steps, fast_lr=rates)
    return made[0, :, :, 0]
"""
        },
        points=13,
        why="takes the first row, the predictions before any step",
    ),
    dict(
        name="adapt to the later tests",
        cells={
            "forecast": """
def forecast(batch, steps, seed=0):
    params, rates = start(seed)
    leaked = TaskBatch(batch.query_x, batch.query_y, batch.query_mask,
                       batch.query_x, batch.query_y, batch.query_mask)
    made = maml.predict(net, params, leaked, num_steps=steps, fast_lr=rates)
    return made[-1, :, :, 0]
"""
        },
        points=14,
        why="adapts to the query set, which is what is to be forecast",
    ),
    dict(
        name="mask forgotten",
        cells={
            "per_child": """
def per_child(made, batch):
    off = made - batch.query_y[..., 0]
    return (off**2).sum(axis=1), off.sum(axis=1), batch.query_mask.sum(axis=1)
"""
        },
        points=14,
        why="a forecast for an empty place counts as an error against 0",
    ),
    dict(
        name="chosen on the test children",
        cells={
            "choose": """
def choose_steps(candidates=range(13)):
    batch = parts["test"]
    return min(candidates, key=lambda steps: np.mean(
        [rmse_of(forecast(batch, steps, seed), batch) for seed in SEEDS]))

def choose_rival(rivals):
    batch = parts["test"]
    return min(rivals, key=lambda name: rmse_of(rivals[name](batch), batch))
"""
        },
        points=13,
        why="steps and rival are chosen on the children who are to judge them",
    ),
    dict(
        name="chosen by one seed",
        cells={
            "choose": """
def choose_steps(candidates=range(13)):
    batch = parts["choose"]
    return min(candidates, key=lambda steps: rmse_of(forecast(batch, steps), batch))

def choose_rival(rivals):
    batch = parts["choose"]
    return min(rivals, key=lambda name: rmse_of(rivals[name](batch), batch))
"""
        },
        points=14,
        why="takes seed 0 for all three",
    ),
    dict(
        name="the weakest rival",
        cells={
            "choose": """
def choose_steps(candidates=range(13)):
    batch = parts["choose"]
    return min(candidates, key=lambda steps: np.mean(
        [rmse_of(forecast(batch, steps, seed), batch) for seed in SEEDS]))

def choose_rival(rivals):
    return "one line for all"
"""
        },
        points=14,
        why="compares with what is easily beaten",
    ),
    dict(
        name="children drawn in place of schools",
        cells={
            "interval": LEAD
            + """
def school_draws(school, draws, seed):
    rng = np.random.default_rng(seed)
    n = len(school)
    drawn = rng.integers(n, size=(draws, n))
    return np.array([np.bincount(row, minlength=n) for row in drawn])
"""
        },
        points=14,
        why="takes children of one school for independent",
    ),
    dict(
        name="large schools drawn more often",
        cells={
            "interval": LEAD
            + """
def school_draws(school, draws, seed):
    rng = np.random.default_rng(seed)
    names = np.unique(school)
    drawn = rng.choice(school, size=(draws, len(names)))
    return (drawn[:, :, None] == np.asarray(school)).sum(axis=1)
"""
        },
        points=14,
        why="draws a child's school, so that large schools have a larger chance",
    ),
    dict(
        name="unpaired",
        cells={
            "interval": SCHOOL_DRAWS
            + """
def lead(ours, rival, count, weights):
    def root(squared, weight):
        return np.sqrt(weight @ squared / (weight @ count))

    once = np.ones(len(count))
    theirs = np.quantile(root(rival, weights), (0.025, 0.975))
    own = np.quantile(root(ours, weights), (0.025, 0.975))
    gap = root(rival, once) - root(ours, once)
    return gap, theirs[0] - own[1], theirs[1] - own[0]
"""
        },
        points=14,
        why="two intervals, as if each method had met children of its own",
    ),
    dict(
        name="mean of RMSEs",
        cells={
            "interval": SCHOOL_DRAWS
            + """
def lead(ours, rival, count, weights):
    off = np.sqrt(rival / count) - np.sqrt(ours / count)
    drawn = weights @ off / weights.sum(axis=1)
    return off.mean(), *np.quantile(drawn, (0.025, 0.975))
"""
        },
        points=13,
        why="another measure: a child with one test weighs as much as one with three",
    ),
    dict(
        name="median in place of mean",
        cells={
            "group_gap": """
def group_gap(error, count, a, b, weights):
    each = error / count

    def gap(weight):
        weight = weight.astype(int)
        return (np.median(np.repeat(each[a], weight[a]))
                - np.median(np.repeat(each[b], weight[b])))

    drawn = [gap(weight) for weight in weights]
    return gap(np.ones(len(count))), *np.quantile(drawn, (0.025, 0.975))
"""
        },
        points=13,
        why="the median child's mean error in place of the mean error of a test",
    ),
    dict(
        name="band over tests",
        cells={
            "band": """
def largest_miss(made, batch):
    return abs(made - batch.query_y[..., 0])[batch.query_mask == 1]

def half_width(misses, coverage):
    return np.quantile(misses, coverage)
"""
        },
        points=13,
        why="nine of ten tests are not nine of ten children; n in place of n + 1",
    ),
    dict(
        name="no difference found so none there",
        cells={
            "claims": """
supported = {"A": True, "B": False, "C": True, "D": True,
             "E": True, "F": True, "G": True, "H": False}
"""
        },
        points=13,
        why="zero within the interval read as equality, a difference as its cause",
    ),
]
