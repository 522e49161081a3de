"""File names in sentences and tables: one line whatever they hold."""


def shown(path):
    """A path as text without line breaks, control characters or undecodable bytes; those are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
