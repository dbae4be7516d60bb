"""Typical wrong solutions of assignment 5, and the points that they should earn.

``points`` are those of the automatic tests (15 in all) if every other cell holds the
reference solution.
"""

WRONG = [
    dict(
        name="regret from results",
        cells={
            "regret": """
def regret(rates, arms, results):
    return rates.max(axis=1) * arms.shape[1] - results.sum(axis=1)
"""
        },
        points=13,
        why="what was really won: luck counts as merit",
    ),
    dict(
        name="regret against the luckiest arm",
        cells={
            "regret": """
def regret(rates, arms, results):
    found = []
    for p, own, won in zip(rates, arms, results):
        share = [won[own == a].mean() if (own == a).any() else -1
                 for a in range(len(p))]
        found.append((p[np.argmax(share)] - p[own]).sum())
    return np.array(found)
"""
        },
        points=13,
        why="takes for the best arm the one with the best results so far",
    ),
    dict(
        name="regret against the best arm tried",
        cells={
            "regret": """
def regret(rates, arms, results):
    chosen = np.take_along_axis(rates, arms, axis=1)
    return (chosen.max(axis=1, keepdims=True) - chosen).sum(axis=1)
"""
        },
        points=14,
        why="who never tries the best arm has no regret",
    ),
    dict(
        name="ties to the first arm",
        cells={
            "epsilon_greedy": """
def epsilon_greedy(wins, losses, rng, epsilon=0.1):
    n, k = wins.shape
    best = ((1 + wins) / (2 + wins + losses)).argmax(axis=1)
    return np.where(rng.random(n) < epsilon, rng.integers(k, size=n), best)
"""
        },
        points=14,
        why="argmax takes the first of several equal arms: all begin with the video",
    ),
    dict(
        name="one coin for the class",
        cells={
            "epsilon_greedy": """
def epsilon_greedy(wins, losses, rng, epsilon=0.1):
    n, k = wins.shape
    if rng.random() < epsilon:
        return rng.integers(k, size=n)
    mean = (1 + wins) / (2 + wins + losses)
    return (mean + 1e-9 * rng.random((n, k))).argmax(axis=1)
"""
        },
        points=13,
        why="everybody explores at the same exercises",
    ),
    dict(
        name="most wins in place of largest mean",
        cells={
            "epsilon_greedy": """
def epsilon_greedy(wins, losses, rng, epsilon=0.1):
    n, k = wins.shape
    best = (wins + 1e-9 * rng.random((n, k))).argmax(axis=1)
    return np.where(rng.random(n) < epsilon, rng.integers(k, size=n), best)
"""
        },
        points=14,
        why="an arm that was tried often wins, whatever its failures",
    ),
    dict(
        name="failures taken for successes",
        cells={
            "thompson": """
def thompson(wins, losses, rng, a=1.0, b=1.0):
    return rng.beta(a + losses, b + wins).argmax(axis=1)
"""
        },
        points=14,
        why="the posterior is turned round: what fails is chosen",
    ),
    dict(
        name="mean of the posterior",
        cells={
            "thompson": """
def thompson(wins, losses, rng, a=1.0, b=1.0):
    mean = (a + wins) / (a + b + wins + losses)
    return (mean + 1e-9 * rng.random(wins.shape)).argmax(axis=1)
"""
        },
        points=14,
        why="greedy by another name: nothing is drawn",
    ),
    dict(
        name="failures counted as wins",
        cells={
            "lesson": """
def lesson(rule, rates, exercises, seed):
    rng, who = np.random.default_rng(seed), np.arange(len(rates))
    wins, losses = np.zeros(rates.shape), np.zeros(rates.shape)
    arms, results = [], []
    for t in range(exercises):
        arm = rule(wins, losses, rng)
        failure = rng.random(len(rates)) > rates[who, arm]
        wins[who, arm] += failure
        losses[who, arm] += ~failure
        arms.append(arm)
        results.append(~failure * 1.0)
    return np.stack(arms, axis=1), np.stack(results, axis=1)
"""
        },
        points=14,
        why="the tutor learns what to avoid, and chooses it",
    ),
    dict(
        name="the same luck for all",
        cells={
            "lesson": """
def lesson(rule, rates, exercises, seed):
    rng, who = np.random.default_rng(seed), np.arange(len(rates))
    wins, losses = np.zeros(rates.shape), np.zeros(rates.shape)
    arms, results = [], []
    for t in range(exercises):
        arm = rule(wins, losses, rng)
        success = rng.random() < rates[who, arm]
        wins[who, arm] += success
        losses[who, arm] += ~success
        arms.append(arm)
        results.append(success * 1.0)
    return np.stack(arms, axis=1), np.stack(results, axis=1)
"""
        },
        points=14,
        why="one random number for the class at each exercise",
    ),
    dict(
        name="seeds counted as students",
        cells={
            "summary": """
def best_fixed(successes):
    return int(np.argmax(successes.sum(axis=0)))

def summary(regrets):
    half = 1.96 * regrets.std(ddof=1) / np.sqrt(regrets.size)
    seeds = regrets.mean(axis=1)
    return {"mean": regrets.mean(), "low": regrets.mean() - half,
            "high": regrets.mean() + half,
            "seed low": seeds.min(), "seed high": seeds.max()}
"""
        },
        points=14,
        why="five lessons with one student count as five students",
    ),
    dict(
        name="one seed",
        cells={
            "summary": """
def best_fixed(successes):
    return int(np.argmax(successes.sum(axis=0)))

def summary(regrets):
    own = regrets[0]
    half = 1.96 * own.std(ddof=1) / np.sqrt(len(own))
    return {"mean": own.mean(), "low": own.mean() - half,
            "high": own.mean() + half,
            "seed low": own.mean(), "seed high": own.mean()}
"""
        },
        points=13,
        why="reports the first seed as if it were all",
    ),
    dict(
        name="median for mean",
        cells={
            "summary": """
def best_fixed(successes):
    return int(np.argmax(np.median(successes, axis=0)))

def summary(regrets):
    each, seeds = regrets.mean(axis=0), regrets.mean(axis=1)
    half = 1.96 * each.std(ddof=1) / np.sqrt(len(each))
    middle = np.median(each)
    return {"mean": middle, "low": middle - half, "high": middle + half,
            "seed low": seeds.min(), "seed high": seeds.max()}
"""
        },
        points=13,
        why="the median student hides the few",
    ),
    dict(
        name="judged by its own signal",
        cells={
            "judge": """
def judge(rule, signal, goal, exercises, seeds):
    own = np.mean([np.take_along_axis(
        signal, lesson(rule, signal, exercises, seed)[0], axis=1).mean()
        for seed in seeds])
    return own, own
"""
        },
        points=14,
        why="takes what the tutor is rewarded for as what it is good for",
    ),
    dict(
        name="unpaired",
        cells={
            "who_pays": """
def who_pays(tutor, fixed, kind):
    each, found = tutor.mean(axis=0), {}
    for k in np.unique(kind):
        a, b = each[kind == k], fixed[kind == k]
        half = 1.96 * np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        mean = a.mean() - b.mean()
        found[int(k)] = mean, mean - half, mean + half
    return found
"""
        },
        points=14,
        why="as if tutor and fixed format had met different students",
    ),
]
