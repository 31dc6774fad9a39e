"""Gaussian integrals of ReLU layers: moments on the positive quadrant, kernels, the map of the angle.

`relu_moment` is the number J_{a,b}(θ) at full relative accuracy, `closed_form` the same as a formula;
`arc_cosine_kernel` and `angular_function` are its diagonal a = b as kernels between data; `angle_map` is what
one infinitely wide layer does to the angle, in the coordinates that keep its digits, and `iterate_angle_map` what
many of them do.
"""

from .angle_map import angle_map, log_sin2_next, one_minus_cos_next
from .angle_path import iterate_angle_map
from .arc_cosine import angular_function, arc_cosine_kernel
from .bessel import ClosedForm, bessel_number, closed_form, full_moment_polynomial
from .relu_moments import relu_moment, relu_moment_derivative, relu_moment_recursion

__all__ = [
    "ClosedForm",
    "angle_map",
    "angular_function",
    "arc_cosine_kernel",
    "bessel_number",
    "closed_form",
    "full_moment_polynomial",
    "iterate_angle_map",
    "log_sin2_next",
    "one_minus_cos_next",
    "relu_moment",
    "relu_moment_derivative",
    "relu_moment_recursion",
]
