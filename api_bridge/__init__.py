"""The bridge: the documented API over HTTP, and nothing that is not HTTP."""
