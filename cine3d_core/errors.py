"""Errors that people cause, told in one sentence."""


class InputError(ValueError):
    """Something a person gave cannot be used: what came, what was wanted, what to do."""
