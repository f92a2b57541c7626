"""What `mailsyncd demo` brings along: a small mail server in memory, and mail to put on it.

Never imported by the service itself. The server takes connections on loopback only and speaks in clear.
"""
