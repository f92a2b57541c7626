"""The POP3 shell: one method a command, over `net.stream` and the sans-I/O `wire.pop3`."""
