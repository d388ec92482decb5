"""Runs JavaScript by QuickJS-NG in a confined child process."""
