"""From a proposal to exact amounts."""
