"""The IMAP shell: one method a command, over `net.stream` and the sans-I/O `wire.imap`."""
