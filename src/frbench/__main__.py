"""``python -m frbench``."""

from frbench.cli import main

if __name__ == "__main__":
    main()
