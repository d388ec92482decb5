"""Forms: what may be asked, and what an answer must be."""
