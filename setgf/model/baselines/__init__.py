"""Networks SETGF is compared with, trained by the same harness."""
