"""Orders on their way in: ``items`` reads them, ``submission_desk`` judges and queues them."""
