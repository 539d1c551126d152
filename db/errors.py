"""What can go wrong with the run database, one class a cause.

DatabaseError             exit code 4
  NotFoundError             no such job, run or worker
  SchemaTooNewError         written by a later setgf
  SchemaTooOldError         can't be migrated
  JobStateError             the job's state does not allow it
  FencedError               another attempt owns the job now: write nothing more
  DatabaseBusyError         locked by another process for too long
  DatabaseFullError         the disk is full
  DatabaseReadOnlyError     the file or its folder can't be written
  DatabaseCorruptError      the file is not a sound database
  DatabaseUnreachableError  the server does not answer
  FilterError               a filter can't be read
"""

from __future__ import annotations


class DatabaseError(Exception):
    """Base of every error of the run database."""

    exit_code = 4


class NotFoundError(DatabaseError):
    """There is no such job, run, group or worker."""


class SchemaTooNewError(DatabaseError):
    """The database was written by a later version."""


class SchemaTooOldError(DatabaseError):
    """The database can't be brought to this version."""


class JobStateError(DatabaseError):
    """The job's state does not allow what was asked."""


class FencedError(DatabaseError):
    """Another attempt owns the job: stop the child and write nothing more."""


class DatabaseBusyError(DatabaseError):
    """The database stayed locked by another process."""


class DatabaseFullError(DatabaseError):
    """The disk is full."""


class DatabaseReadOnlyError(DatabaseError):
    """The file or its folder can't be written."""


class DatabaseCorruptError(DatabaseError):
    """The file is not a sound database."""


class DatabaseUnreachableError(DatabaseError):
    """The server does not answer, or has cut the connection."""


class FilterError(DatabaseError):
    """A filter or sort expression can't be read."""

    exit_code = 2
