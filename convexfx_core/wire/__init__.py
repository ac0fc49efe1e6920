"""Every JSON on the wire: models, parsers and writers; pydantic is used here and nowhere else.

What arrives from outside is parsed into values of the core at once.
"""
