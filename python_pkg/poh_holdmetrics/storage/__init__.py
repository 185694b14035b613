"""Where events are kept so that scores can be made again: `port` says what a store does, `memory` is one."""
