"""Stores of events, from which scores can be computed again: `port` is the contract, `memory` a store."""
