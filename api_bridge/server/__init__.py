"""How the bridge's processes serve: connections, threads, and what limits them."""
