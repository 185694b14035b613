"""The wire contract of the service, generated from ``proto/poh/hold.proto``.

Needs the extra ``grpc``: ``pip install "poh-holdmetrics[grpc]"``. Nothing is imported here, so that the
package works without it. ``tests/test_protocols.py`` compares the modules with the contract, and writes them
anew where that is asked for.
"""
