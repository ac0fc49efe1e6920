"""Adapters: the only modules below ``convexfx`` that know boto3, httpx and the like."""
