"""Bytes to values and back: protocols and message formats, without I/O, clocks or logs."""
