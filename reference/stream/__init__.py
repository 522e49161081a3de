"""The original held open: batch after batch, each written as a trace of its own."""
