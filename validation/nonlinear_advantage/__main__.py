"""``python -m validation.nonlinear_advantage``."""

from .command import main

main()
