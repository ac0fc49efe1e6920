"""What the API knows: the chain, followed and indexed."""
