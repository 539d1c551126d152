"""The command line: one file a group of commands.

Contract: a module imports typer and the standard library at its head, nothing else but `output`,
`setgf.errors`, `setgf.terms` and `setgf.home`; the body of a command imports what it needs. Results
go to stdout, everything else to stderr.
"""
