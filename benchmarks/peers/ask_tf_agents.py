"""Advantages of TF-Agents, which needs the old Keras."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
import tensorflow as tf
from tf_agents.utils import value_ops


def answers(given):
    found = value_ops.generalized_advantage_estimation(
        values=tf.constant(given["values"][:-1]),
        final_value=tf.constant(given["values"][-1]),
        discounts=tf.constant(0.99 * ~given["terminated"], tf.float32),
        rewards=tf.constant(given["rewards"]),
        td_lambda=0.95,
        time_major=True,
    )
    return {"advantages": found.numpy()}
