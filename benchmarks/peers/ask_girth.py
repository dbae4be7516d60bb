"""girth estimates abilities from answers to items that are known."""

import numpy as np
from girth import ability_3pl_eap


def answers(given):
    rng = np.random.default_rng(0)
    answers = rng.integers(2, size=(20, 5))
    found = ability_3pl_eap(
        answers, given["difficulties"], given["slopes"], given["guessing"]
    )
    return {"given_answers": answers, "abilities": found}
