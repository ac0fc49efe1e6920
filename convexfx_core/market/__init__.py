"""What a market is: assets, parameters, risk, reference prices.

Everything here is fixed before an epoch is cleared, and hashed into its public values.
"""
