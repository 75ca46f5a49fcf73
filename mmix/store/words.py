"""What a trainer says, as PostgreSQL can keep it."""


def storable(words: str) -> str:
    """The words without what PostgreSQL's text refuses: NUL, and halves of characters."""
    return words.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
