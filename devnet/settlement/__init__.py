"""Settlement layer: the last word on vaults, shared by all domains.

It knows final vaults and domain agreements. An SDL becomes final when its proof says what this
side derives for itself from its own state; it believes nothing that it can compute.
"""
