"""The default model: a public tagger's features, trained on and joined to MMGAT.

The steps are commands of ``mmgat-train transfer``: scores, pieces, features, tail, fit, save.
"""
