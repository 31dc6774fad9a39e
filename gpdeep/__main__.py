"""``python -m gpdeep``."""

from .cli import main

main()
