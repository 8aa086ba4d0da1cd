"""The one exception that ends a training with a message for the person who started it."""


class TrainingError(Exception):
    """Training cannot start or go on; the message says what happened, where, and what to do."""
