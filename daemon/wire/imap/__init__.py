"""IMAP as a client speaks it: frames, grammar, commands and the state of one connection, without I/O."""
