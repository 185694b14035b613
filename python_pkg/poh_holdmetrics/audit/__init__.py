"""Proves that a leaderboard comes from the events that were stored; see `history` and `comparison`.

Needs the extra `immudb`; the command line is `commands.audit_verify`.
"""
