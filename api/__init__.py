"""HTTP over the control facade: the routes of the contract on TCP, Unix sockets and the control socket.

Sees `daemon.service.control` and `daemon.model` only. Handlers read, make wishes durable and wake; none talks to a
mail server.
"""
