"""Push: how an account learns of changes on its server, rung by rung. `main_watch` is where to begin."""
