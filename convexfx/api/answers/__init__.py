"""What the API answers: shapes, and how epochs and orders are shown."""
