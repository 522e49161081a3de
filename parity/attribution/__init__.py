"""Which layer made the drift at the end, and what it does to the answer."""
