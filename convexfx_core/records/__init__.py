"""What an epoch leaves behind: tables, receipts, the array for the gateway."""
