"""Networks: a batch in, scores and features of every branch out.

A network is given a `setgf.data.batch.Batch` and nothing else; it never sees labels, files of
results or the database. Padding never changes a score, nor does the company a sample is batched
with. Random numbers come from torch's global generator: equal state, equal weights.
"""
