"""Scores of data frames, files and lists in one call, and what a notebook does with them.

Start at `scoring`. Nothing here is imported before it is used: pyarrow, polars, pandas and matplotlib are
extras.
"""
