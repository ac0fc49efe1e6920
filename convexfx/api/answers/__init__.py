"""What the API answers: ``shapes`` declares the JSON, the others fill it from what is known."""
