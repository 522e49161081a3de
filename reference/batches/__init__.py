"""The original on many batches, one after the other, in one process."""
