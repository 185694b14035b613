"""The wire contracts of the service and of immudb, generated from ``proto/``.

Needs the extra ``grpc``: ``pip install "poh-holdmetrics[grpc]"``. Nothing is imported here, so that the
package works without it. ``tests/test_protocols.py`` compares the modules with the contracts, and writes them
anew where that is asked for.
"""
