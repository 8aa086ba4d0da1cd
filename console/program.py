"""How the program is called, for the lines that tell what to type."""

PROGRAM = "python -m graphs.transfer"
