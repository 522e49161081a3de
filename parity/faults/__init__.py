"""Planted faults: the port broken from outside in every way a port can be, and what the harness
says of each.
"""
