"""The nouns of the system and the run directory. Imports nothing of ours."""
