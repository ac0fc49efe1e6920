"""One Prefect task a stage: read ports, call the core, write ports."""
