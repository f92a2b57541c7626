"""The nouns: frozen values and errors. No I/O, no asyncio, no clock."""
