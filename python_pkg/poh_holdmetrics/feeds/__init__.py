"""Exports of chains under their own columns: the feeds that `--input-format` names, read in pure Python.

The tables are in `tables`, what a file has in `layout`, its rows become records in `transfers`; `lookups` are
the files beside it. The binary reads the same natively, and gives the same answers.
"""
