"""Speed and memory, measured by hand: ratios side by side in one process, never timed tests."""
