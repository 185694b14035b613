"""The score in pure Python: facts of a key, their curve and balance, the envelope over both, sums.

Integers only, no clock, no I/O, and it never asks for native code: it is the fallback for that code and a
check of it. Read `facts`, then `curve`, `balance`, `envelope`, `aggregator`.
"""
