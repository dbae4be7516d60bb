"""Advantages and clipped loss of rlax (JAX)."""

import jax
import jax.numpy as jnp
import numpy as np
import rlax


def answers(given):
    discounts = np.float32(0.99) * ~given["terminated"]
    each = jax.vmap(
        lambda r, d, v: rlax.truncated_generalized_advantage_estimation(r, d, 0.95, v),
        in_axes=1, out_axes=1,
    )  # fmt: skip
    log_prob = jax.nn.log_softmax(jnp.array(given["logits"]))
    log_prob = log_prob[jnp.arange(64), given["actions"]]
    ratio = jnp.exp(log_prob - given["old_log_prob"])
    return {
        "advantages": each(given["rewards"], discounts, given["values"]),
        "policy_loss": rlax.clipped_surrogate_pg_loss(
            ratio, jnp.array(given["advantages"]), 0.2
        ),
    }
