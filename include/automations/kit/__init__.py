"""Nothing of the product: ids, clocks, JSON values, masking, logs, cursors."""
