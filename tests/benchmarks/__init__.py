"""Benchmarks: run all by `make benchmarks`, one by `python -m tests.benchmarks NAME`.

A module here has `main()`, which prints a table. Whatever is compared is measured interleaved in
one run, and medians are shown: these figures are for people; no test asserts a time.
"""
