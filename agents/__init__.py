"""Who thinks: teacher, oracle, solver and judge. Records in, records out."""
