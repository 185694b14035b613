"""Looks into a running main_holdmetrics from outside: its tasks, its stacks, and with pdb.

`main_holdmetrics py ps|stack|pdb PID` runs `__main__`. `target` finds out what a process is, `stacks` asks a
service for its stacks by a signal, `remote` runs `report` in it with the remote debugging of Python 3.14.
"""
