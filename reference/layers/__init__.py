"""What Keras says of every layer of a model, without running it."""
