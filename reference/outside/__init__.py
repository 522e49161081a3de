"""Any Keras 1 model: built from what a file says, walked node by node."""
