"""`python -m monitor` is the same as `monitor`."""

from monitor.cli import main

if __name__ == "__main__":  # processes that help with reading feeds import this module too
    main()
