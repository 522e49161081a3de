"""The networks of fixtures/gallery, as Python."""
