"""Run systems that train in separate processes: the clock inside them, and the exchange with them."""
