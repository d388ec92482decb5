"""Tables: columns, filters, imports and aggregates of rows."""
