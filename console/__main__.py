"""`python -m console` is the same program as `python -m graphs.transfer`."""

from console.app import main

main()
