"""``python -m paper_figures``."""

from .command import main

if __name__ == "__main__":
    main()
