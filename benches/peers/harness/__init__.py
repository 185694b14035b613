"""The modules that `run.py` and `incremental.py` share: workloads, contenders, processes, comparison, report.

Standard library only, but for `facts` and `comparison`, which run as programs inside the benchmark's own
virtual environment. The harness stays small on purpose: see `process` on why its own memory matters.
"""
