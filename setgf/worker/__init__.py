"""Runs the queue's jobs on this machine: worker -> shim -> child.

Three small processes, each of which may die. The worker (`daemon`) claims jobs, starts shims,
carries points and events from run folders into the database and decides what an end means. The
shim (`shim`) holds the run's lock, starts and ends the child and records how it ended. The child
(`child`) trains; it knows a folder, not a database. A worker that comes back adopts what runs on.

Only the worker that holds a job's lease writes its run to the database; the number of the attempt
stands in every such write. Commands reach a worker as rows, never as signals from another process.
"""
