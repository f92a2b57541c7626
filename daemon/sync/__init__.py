"""The engine: three views of each mailbox in, actions out, carried out with intent and confirmation."""
