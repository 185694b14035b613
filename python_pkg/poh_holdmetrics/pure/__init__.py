"""The score in pure Python: facts of a key, their curve, the envelope over it, sums and ranks.

Integers only, no clock, no I/O, and it never asks for native code: it is the fallback for that
code and a check of it. Read `facts`, then `curve`, `envelope`, `aggregator`.
"""
