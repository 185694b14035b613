"""The score in pure Python: facts of a key, their curve, the envelope over it, sums and ranks.

Integers only, no clock, no I/O, and it never asks for native code: it is the fallback and the audit of
that code. Read `facts`, then `curve`, `envelope`, `aggregator`.
"""
