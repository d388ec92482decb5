"""Workbooks of spreadsheet programs (.xlsx): read as text, and written."""
