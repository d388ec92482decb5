"""Runs: started, admitted, read, cancelled, replayed, removed."""
