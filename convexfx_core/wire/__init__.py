"""Every JSON on the wire: models, parsers and writers; pydantic is used here and nowhere else."""
