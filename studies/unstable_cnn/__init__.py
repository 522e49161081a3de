"""Why the CNN's results look unstable: one module per question, each ending in findings that a run
has measured.
"""
