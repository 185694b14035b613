"""Real servers for tests: started on loopback, ready by a sign and not by a sleep, ended by their process.

`programs` finds or installs what is run, `process` runs it; each server has a module of its own. Tests that
need one carry the marker `services`; `make test-services` runs them.
"""
