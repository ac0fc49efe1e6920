"""The local stack: starts, checks and stops the processes that one machine needs."""
