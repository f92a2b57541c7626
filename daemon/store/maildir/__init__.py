"""The account's tree of Maildirs: staging, durable delivery, listing, flag letters, keywords, identity on disk.

`tree.MaildirTree` is the door; everything else in this package blocks and runs in the store's named pools. It knows
no protocol and no database, never overwrites a file, never follows a symbolic link below the root, and never infers
that a message was deleted: it reports what two complete listings prove (docs/decisions, sync.md 6, 9, 12, 14, 27).
"""
