"""The run database: the queue, and the index of all runs.

Contract: what leaves this package is a frozen record (`db.records`), never a row or a session.
Each table is written by one module. A writer function takes a `Connection` inside a transaction
opened by `Database.write()`; a reader takes one from `Database.read()`, which must be short. The
package knows nothing of setgf, tensors or terminals. The public query API is `db.query`.
"""
