"""Probes: asks a port questions whose answers are known, and reads back what it has inside."""
