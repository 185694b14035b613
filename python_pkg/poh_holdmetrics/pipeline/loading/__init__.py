"""Reads pipeline files, and says what is wrong with them."""
