"""The error of a data set that cannot be used as it is."""

__all__ = ["DataError"]


class DataError(ValueError):
    """A file of the data set is missing, malformed or contradicts another one.

    The message names the file, and the line where the file is a list.
    """
