"""What can be learned: one file per domain."""
