"""Reads microscope.json and refuses, in one sentence, what is not a whole document of its
schema.
"""

from parity.reports import document as documents

MICROSCOPE = documents.Kind("microscope.json", "microscope.schema.json", "make microscope")


def read(path):
    """The document in `path`. Raises ReportError where it is missing, cut short or not valid by
    microscope.schema.json.
    """
    return documents.read(path, MICROSCOPE)


def validate(document, path=None):
    """Raise ReportError naming the first place where `document` departs from its schema."""
    documents.validate(document, path, MICROSCOPE)
