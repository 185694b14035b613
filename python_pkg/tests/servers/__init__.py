"""Real servers for tests: started on loopback, ready by a sign and not by a sleep, ended by their process."""
