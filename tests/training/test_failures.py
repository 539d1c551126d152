from __future__ import annotations

import errno

import pytest

from setgf.errors import ConfigError, DataError, DivergedError, EncoderError, RunFolderError
from setgf.training.failures import failure_class


def full_disk() -> RunFolderError:
    error = RunFolderError("The disk is full.")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigError("x"), "config"),
        (DataError("x"), "data"),
        (EncoderError("x"), "data"),
        (DivergedError("x"), "diverged"),
        (full_disk(), "disk_full"),
        (OSError(errno.EDQUOT, "quota"), "disk_full"),
        (MemoryError(), "host_out_of_memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "host_out_of_memory"),
        (RuntimeError("cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED"), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "host_out_of_memory"),
        (ValueError("x"), "error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_has_its_failure_class(error, expected):
    assert failure_class(error) == expected


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_run_folder_that_cannot_be_written_for_the_moment_is_tried_again_later(
    number: int,
) -> None:
    error = RunFolderError("The folder can't be read or written.")
    error.__cause__ = OSError(number, "no")

    assert failure_class(error) == "disk_full"
