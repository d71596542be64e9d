"""Systems that train in a process of their own: the clock inside it, and the conversation with it."""
