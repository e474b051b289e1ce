"""`python -m router` is `hopline`."""

from router.cli import main

if __name__ == "__main__":
    main()
