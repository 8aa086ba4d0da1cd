"""`python -m graphs.transfer --domain python`: the entry point.

Only an entry: it hands over to the console, and nothing may import it. No class is defined here,
because in a module run with `-m` it would be pickled as `__main__.X`.
"""

from console.app import main

if __name__ == "__main__":
    main()
