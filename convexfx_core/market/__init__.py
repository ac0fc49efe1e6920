"""What a market is: assets, parameters, risk, reference prices."""
