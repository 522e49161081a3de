"""The originals, as unmodified Keras 1.x on Theano runs them. Imports nothing of this project;
meets it in one trace file.
"""
