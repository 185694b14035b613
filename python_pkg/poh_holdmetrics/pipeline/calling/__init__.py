"""Calls one handler, within limits and whatever it does."""
