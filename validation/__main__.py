"""``python -m validation``."""

from .command import main

if __name__ == "__main__":
    main()
