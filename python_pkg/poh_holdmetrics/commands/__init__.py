"""The subcommands of the command line, one file for each; `cli` puts them together."""
