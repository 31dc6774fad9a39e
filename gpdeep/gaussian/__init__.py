"""Gaussian integrals of ReLU layers: moments on the positive quadrant, kernels, the map of the angle.

`relu_moment` is the number J_{a,b}(θ) at full relative accuracy, `closed_form` the same as a formula;
`arc_cosine_kernel` and `angular_function` are its diagonal a = b as kernels between data; `angle_map` is what
one infinitely wide layer does to the angle, in the coordinates that keep its digits, and `iterate_angle_map` what
many of them do.

Ramps (z-h)_+ with a kink anywhere: `ramp_moment` and `ramp_product` for one variable; `ramp_overlap` and
`ramp_slope_overlap` for two, without cancellation at any angle; `upper_orthant` and `ramp_covariance` in closed form.
"""

from .angle_map import angle_map, log_sin2_next, one_minus_cos_next
from .angle_path import iterate_angle_map
from .arc_cosine import angular_function, arc_cosine_kernel
from .bessel import ClosedForm, bessel_number, closed_form, full_moment_polynomial
from .bivariate_normal import ramp_covariance, upper_orthant
from .kink_split import kink_split_pair, kink_split_rule
from .mehler import Mehler, hermite_coefficients
from .ramp_excess import ramp_excess
from .ramp_moments import normal_density, ramp_moment, ramp_product
from .ramp_pairs import angle_density, ramp_overlap, ramp_slope_overlap
from .relu_moments import relu_moment, relu_moment_derivative, relu_moment_recursion
from .trapezoidal import trapezoidal_rule

__all__ = [
    "ClosedForm",
    "Mehler",
    "angle_density",
    "angle_map",
    "angular_function",
    "arc_cosine_kernel",
    "bessel_number",
    "closed_form",
    "full_moment_polynomial",
    "hermite_coefficients",
    "iterate_angle_map",
    "kink_split_pair",
    "kink_split_rule",
    "log_sin2_next",
    "normal_density",
    "one_minus_cos_next",
    "ramp_covariance",
    "ramp_excess",
    "ramp_moment",
    "ramp_overlap",
    "ramp_product",
    "ramp_slope_overlap",
    "relu_moment",
    "relu_moment_derivative",
    "relu_moment_recursion",
    "trapezoidal_rule",
    "upper_orthant",
]
