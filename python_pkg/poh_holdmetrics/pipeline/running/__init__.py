"""Drives the handlers of one pipeline over a host."""
