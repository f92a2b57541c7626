"""A small IMAP server over `daemon.demo.mailbox`: IMAP4rev1 and the extensions a modern client asks for."""
