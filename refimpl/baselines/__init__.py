"""The strong simple methods that a meta-learner has to be compared with."""

from refimpl.baselines.growth import (
    direct_regression,
    each_alone,
    hierarchical_polynomial,
    pooled_polynomial,
    trusted_level,
)

__all__ = [
    "direct_regression",
    "each_alone",
    "hierarchical_polynomial",
    "pooled_polynomial",
    "trusted_level",
]
