"""What a person can mend."""


class StackError(Exception):
    """The stack cannot go on; the text is one line that says what is wrong and what to do about it."""
