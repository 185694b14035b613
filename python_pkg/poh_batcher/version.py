"""The version of the package: read by its modules and by the build."""

__version__ = "0.1.0"
