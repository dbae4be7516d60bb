"""Typical wrong solutions of assignment 3, and the points by tests that each earns.

Of 15: question 1 earns 1 + 1, 2 earns 1, 3 earns 2 + 2, 4 earns 2 + 2, 5 earns 2,
and 7 earns 1 + 1.
"""

WRONG = [
    {
        "name": "cut off is over by hand",
        "why": "a truncated course is taken for one that is over",
        "points": 14,
        "cells": {
            "q1_answer": """
advantages_cut = [-0.0625, -2.25, 1]
advantages_over = [-0.0625, -2.25, 1]
returns_cut = [1.9375, 0.75, 2]
"""
        },
    },
    {
        "name": "a time limit is the end",
        "why": "the value after a truncated step counts as 0",
        "points": 13,
        "cells": {
            "q3_answer": """
def compute_advantages(rewards, values, next_values, terminated, truncated,
                       gamma, lambda_):
    over = terminated | truncated
    deltas = rewards + gamma * next_values * ~over - values
    advantages, following = np.zeros_like(deltas), 0.0
    for t in reversed(range(len(deltas))):
        following = deltas[t] + gamma * lambda_ * ~over[t] * following
        advantages[t] = following
    return advantages, advantages + values
"""
        },
    },
    {
        "name": "the sum runs on",
        "why": "later errors of the next course are counted in",
        "points": 13,
        "cells": {
            "q3_answer": """
def compute_advantages(rewards, values, next_values, terminated, truncated,
                       gamma, lambda_):
    deltas = rewards + gamma * next_values * ~terminated - values
    advantages, following = np.zeros_like(deltas), 0.0
    for t in reversed(range(len(deltas))):
        following = deltas[t] + gamma * lambda_ * following
        advantages[t] = following
    return advantages, advantages + values
"""
        },
    },
    {
        "name": "truncated courses go on",
        "why": "only a terminated step stops the sum",
        "points": 13,
        "cells": {
            "q3_answer": """
def compute_advantages(rewards, values, next_values, terminated, truncated,
                       gamma, lambda_):
    deltas = rewards + gamma * next_values * ~terminated - values
    advantages, following = np.zeros_like(deltas), 0.0
    for t in reversed(range(len(deltas))):
        following = deltas[t] + gamma * lambda_ * ~terminated[t] * following
        advantages[t] = following
    return advantages, advantages + values
"""
        },
    },
    {
        "name": "the next row for the next state",
        "why": "values[t + 1] stands in for next_values, and 0 at the end",
        "points": 11,
        "cells": {
            "q3_answer": """
def compute_advantages(rewards, values, next_values, terminated, truncated,
                       gamma, lambda_):
    following_values = np.append(values[1:], 0 * values[:1], axis=0)
    deltas = rewards + gamma * following_values * ~terminated - values
    goes_on = ~(terminated | truncated)
    advantages, following = np.zeros_like(deltas), 0.0
    for t in reversed(range(len(deltas))):
        following = deltas[t] + gamma * lambda_ * goes_on[t] * following
        advantages[t] = following
    return advantages, advantages + values
"""
        },
    },
    {
        "name": "the greater one",
        "why": "max in place of min: what went too far is rewarded",
        "points": 11,
        "cells": {
            "q4_answer": """
def clipped_surrogate(log_prob, old_log_prob, advantages, epsilon=0.2):
    shapes = [np.shape(a) for a in (log_prob, old_log_prob, advantages)]
    if not shapes[0] == shapes[1] == shapes[2]:
        raise ValueError(f"expected three equal shapes, got {shapes}")
    ratio = tf.exp(log_prob - tf.stop_gradient(old_log_prob))
    clipped = tf.clip_by_value(ratio, 1 - epsilon, 1 + epsilon)
    A = tf.stop_gradient(advantages)
    return tf.reduce_mean(tf.maximum(ratio * A, clipped * A))
"""
        },
    },
    {
        "name": "no exponential",
        "why": "the difference of logarithms is taken for the ratio",
        "points": 11,
        "cells": {
            "q4_answer": """
def clipped_surrogate(log_prob, old_log_prob, advantages, epsilon=0.2):
    shapes = [np.shape(a) for a in (log_prob, old_log_prob, advantages)]
    if not shapes[0] == shapes[1] == shapes[2]:
        raise ValueError(f"expected three equal shapes, got {shapes}")
    ratio = log_prob - tf.stop_gradient(old_log_prob)
    clipped = tf.clip_by_value(ratio, 1 - epsilon, 1 + epsilon)
    A = tf.stop_gradient(advantages)
    return tf.reduce_mean(tf.minimum(ratio * A, clipped * A))
"""
        },
    },
    {
        "name": "clipped on one side",
        "why": "the ratio has an upper limit only",
        "points": 11,
        "cells": {
            "q4_answer": """
def clipped_surrogate(log_prob, old_log_prob, advantages, epsilon=0.2):
    shapes = [np.shape(a) for a in (log_prob, old_log_prob, advantages)]
    if not shapes[0] == shapes[1] == shapes[2]:
        raise ValueError(f"expected three equal shapes, got {shapes}")
    ratio = tf.exp(log_prob - tf.stop_gradient(old_log_prob))
    clipped = tf.minimum(ratio, 1 + epsilon)
    A = tf.stop_gradient(advantages)
    return tf.reduce_mean(tf.minimum(ratio * A, clipped * A))
"""
        },
    },
    {
        "name": "gradient through the old policy",
        "why": "old_log_prob and advantages are no constants",
        "points": 13,
        "cells": {
            "q4_answer": """
def clipped_surrogate(log_prob, old_log_prob, advantages, epsilon=0.2):
    shapes = [np.shape(a) for a in (log_prob, old_log_prob, advantages)]
    if not shapes[0] == shapes[1] == shapes[2]:
        raise ValueError(f"expected three equal shapes, got {shapes}")
    ratio = tf.exp(log_prob - old_log_prob)
    clipped = tf.clip_by_value(ratio, 1 - epsilon, 1 + epsilon)
    return tf.reduce_mean(
        tf.minimum(ratio * advantages, clipped * advantages))
"""
        },
    },
    {
        "name": "columns against vectors",
        "why": "[N] and [N, 1] broadcast to [N, N] without a word",
        "points": 13,
        "cells": {
            "q4_answer": """
def clipped_surrogate(log_prob, old_log_prob, advantages, epsilon=0.2):
    ratio = tf.exp(log_prob - tf.stop_gradient(old_log_prob))
    clipped = tf.clip_by_value(ratio, 1 - epsilon, 1 + epsilon)
    A = tf.stop_gradient(advantages)
    return tf.reduce_mean(tf.minimum(ratio * A, clipped * A))
"""
        },
    },
    {
        "name": "the old policy moves along",
        "why": "its log-probabilities are renewed in each epoch: the ratio is 1",
        "points": 13,
        "cells": {
            "q5_answer": """
def ascend(logits, states, actions, advantages, surrogate, epochs,
           learning_rate):
    for _ in range(epochs):
        old_log_prob = log_prob_of(logits, states, actions)
        with tf.GradientTape() as tape:
            log_prob = log_prob_of(logits, states, actions)
            gain = surrogate(log_prob, old_log_prob, advantages)
        slope = tf.convert_to_tensor(tape.gradient(gain, logits))
        logits.assign_add(learning_rate * slope)
"""
        },
    },
    {
        "name": "downhill",
        "why": "a gain is minimized",
        "points": 13,
        "cells": {
            "q5_answer": """
def ascend(logits, states, actions, advantages, surrogate, epochs,
           learning_rate):
    old_log_prob = log_prob_of(logits, states, actions)
    for _ in range(epochs):
        with tf.GradientTape() as tape:
            log_prob = log_prob_of(logits, states, actions)
            gain = surrogate(log_prob, old_log_prob, advantages)
        slope = tf.convert_to_tensor(tape.gradient(gain, logits))
        logits.assign_sub(learning_rate * slope)
"""
        },
    },
    {
        "name": "resets counted",
        "why": "the step after an end is a reset, and no lesson",
        "points": 14,
        "cells": {
            "q7a_answer": """
def counting(seed):
    school = School(seed)
    rollouts = [school.rollout(np.full((2, 2), 0.5)) for _ in range(ROLLOUTS)]
    s, a, rewards, after, _, _, _ = map(np.concatenate, zip(*rollouts))
    policy = np.zeros((2, 2))
    for state, good in ((0, after == 1), (1, rewards)):
        shares = [good[(s == state) & (a == action)].mean()
                  for action in (0, 1)]
        policy[state, np.argmax(shares)] = 1
    return worth(policy)


results = np.array([
    [(learn(seed, clipped_surrogate, rate),
      learn(seed, unlimited_surrogate, rate), counting(seed))
     for rate in RATES] for seed in SEEDS])
"""
        },
    },
    {
        "name": "seeds not paired",
        "why": "each method's own spread, as if the students were others",
        "points": 14,
        "cells": {
            "q7b_answer": """
clipped, unlimited = results[:, :, 0], results[:, :, 1]
lead = clipped.mean(axis=0) - unlimited.mean(axis=0)
lead_se = np.sqrt((clipped.var(axis=0, ddof=1) + unlimited.var(axis=0, ddof=1)) / 10)
"""
        },
    },
]
