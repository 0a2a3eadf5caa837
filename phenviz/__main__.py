"""``python -m phenviz`` is ``phenviz``."""

from phenviz.cli import main

if __name__ == "__main__":
    main(prog_name="phenviz")
