"""adaptivetesting estimates an ability from three answers."""

import numpy as np
from adaptivetesting.math.estimators import MLEstimator
from adaptivetesting.models import TestItem


def answers(given):
    items = []
    for difficulty in (-1.0, 0.0, 1.0):
        item = TestItem()
        item.b = difficulty
        items.append(item)
    found = MLEstimator([1, 1, 0], items).get_estimation()
    assert np.isfinite(found)
    return {}
