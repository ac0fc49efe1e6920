"""An order: its row, its terms, its signed form, its place in a sealed batch."""
