"""What an order would get if the open batch were cleared now."""
