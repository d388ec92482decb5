"""What runs wait for, and how it is answered."""
