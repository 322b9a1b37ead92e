"""`python -m eyefirst` is the command `eyefirst`."""

from eyefirst.cli import main

if __name__ == "__main__":
    main()
