"""The terminal: watch a run, read its reflections, approve a strategy."""
