"""The local truth: two databases and the Maildir trees. Knows no protocol.

`store.Store` is the door; its rooms give and take model values, never rows.
"""
