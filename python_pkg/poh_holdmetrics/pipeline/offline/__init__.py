"""Pipelines without a service: over a tracker, in time that is moved by hand."""
