"""What an epoch leaves behind: tables, receipts, the array for the gateway.

It shows what was decided and decides nothing. Formats: ``docs/tables.md``.
"""
