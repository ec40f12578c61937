"""The mathematics of each metric, on features, images, codes or likelihoods that are given.

Nothing here knows a model, a data set or a file; every draw comes from a generator that is given.
"""
