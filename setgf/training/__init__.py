"""Training: from a config and a feature store to weights, points and predictions.

Contract: `fit` is the only way in; it knows a `Recorder`, never files or a database, and opens the
test split once, after validation has chosen the epoch. Interrupted and resumed equals
uninterrupted, bit for bit on one CPU thread count.
"""
