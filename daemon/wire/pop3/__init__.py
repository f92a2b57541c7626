"""POP3 as a client speaks it: frames, commands and the state of one connection, without I/O."""
