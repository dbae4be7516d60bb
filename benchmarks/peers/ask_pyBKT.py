"""pyBKT: its forecasts for one student, with rates that we set."""

import numpy as np
import pandas as pd
from pyBKT.models import Model


def answers(given):
    right = given["right"]
    table = pd.DataFrame(
        {
            "user_id": 1,
            "skill_name": "s",
            "correct": right,
            "order_id": range(len(right)),
        }
    )
    prior, learn, guess, slip = given["bkt_rates"]
    model = Model(seed=0, num_fits=1)
    model.fit(data=table)
    model.fit_model["s"] |= {
        "prior": prior,
        "learns": np.array([learn]),
        "guesses": np.array([guess]),
        "slips": np.array([slip]),
        "forgets": np.array([0.0]),
    }
    found = model.predict(data=table)
    return {
        "right": found["correct_predictions"].to_numpy(),
        "known": found["state_predictions"].to_numpy(),
    }
