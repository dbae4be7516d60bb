"""The strong simple methods that a meta-learner has to be compared with."""

from refimpl.baselines.growth import (
    direct_regression,
    each_alone,
    hierarchical_polynomial,
    pooled_polynomial,
    trusted_level,
)
from refimpl.baselines.ratings import crossed_effects
from refimpl.baselines.responses import (
    item_mean,
    item_means,
    item_response,
    shrunken_student_mean,
)

__all__ = [
    "crossed_effects",
    "direct_regression",
    "each_alone",
    "hierarchical_polynomial",
    "item_mean",
    "item_means",
    "item_response",
    "pooled_polynomial",
    "shrunken_student_mean",
    "trusted_level",
]
